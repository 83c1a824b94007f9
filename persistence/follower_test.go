package persistence

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"hubd/mercure"
)

// fakeEngine is an engine whose every answer the test decides. All methods may be called from any goroutine.
type fakeEngine struct {
	mu      sync.Mutex
	events  []*mercure.Event // from position before+1 on
	before  uint64
	err     error
	fetches int
	awaits  int
	filled  []uint64
	known   uint64 // what before was at the last await
	hidden  uint64 // position that no page has
	changed chan struct{}
}

func newFakeEngine() *fakeEngine { return &fakeEngine{changed: make(chan struct{})} }

// change runs fn on the engine's state and wakes who waits.
func (e *fakeEngine) change(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn()
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *fakeEngine) head() uint64 { return e.before + uint64(len(e.events)) }

// commit stores n events and returns them with the extent after it, as of a node of its own.
func (e *fakeEngine) commit(n int) (batch []*mercure.Event, x Extent) {
	e.change(func() {
		batch = placed(e.head(), n, 10)
		e.events = append(e.events, batch...)
		x = e.extent()
	})
	return batch, x
}

// remove takes the oldest n events, as retention does.
func (e *fakeEngine) remove(n int) {
	e.change(func() { e.events, e.before = e.events[n:], e.before+uint64(n) })
}

// attempts returns how often the engine was asked to wait since the count was set.
func (e *fakeEngine) attempts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.awaits
}

// missing reports whether the engine's head is before the position.
func (e *fakeEngine) missing(position uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.head() < position
}

func (e *fakeEngine) extent() Extent {
	x := Extent{Before: e.before, Head: e.head(), LastID: "gone"}
	if n := len(e.events); n > 0 {
		x.LastID = e.events[n-1].ID()
	}
	return x
}

// Await implements Source.
func (e *fakeEngine) Await(ctx context.Context, after uint64) error {
	e.mu.Lock()
	e.awaits++
	err, changed, differs := e.err, e.changed, e.head() != after || e.before != e.known
	e.known = e.before
	e.mu.Unlock()
	if err != nil || differs {
		return err
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
	return nil
}

// Fetch implements Source.
func (e *fakeEngine) Fetch(_ context.Context, after, upto uint64, _ int) ([]*mercure.Event, Extent, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fetches++
	if e.err != nil {
		return nil, Extent{}, e.err
	}
	if upto == 0 {
		upto = e.head()
	}
	var page []*mercure.Event
	for position := max(after, e.before) + 1; position <= min(upto, e.head()) && len(page) < 3; position++ {
		if position != e.hidden {
			page = append(page, e.events[position-e.before-1])
		}
	}
	return page, e.extent(), nil
}

// Fill implements Source.
func (e *fakeEngine) Fill(_ context.Context, head uint64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	e.filled = append(e.filled, head)
	e.events = append(e.events, placed(e.head(), int(head-e.head()), 10)...)
	return nil
}

// followed is a follower with a tail on its feed.
type followed struct {
	*Follower
	*fakeEngine
	feed *Feed
	tail Tail
	woke chan struct{}
}

func follow(t *testing.T, o FollowerOptions) *followed {
	t.Helper()
	f := &followed{fakeEngine: newFakeEngine(), feed: NewFeed(RingOptions{Slots: 2048}), woke: make(chan struct{}, 1)}
	o.Feed, o.Source, o.MinWait, o.MaxWait = f.feed, f.fakeEngine, time.Microsecond, time.Millisecond
	f.Follower = NewFollower(o)
	t.Cleanup(f.Stop)
	var err error
	f.tail, err = f.feed.Tail(0, func() {
		select {
		case f.woke <- struct{}{}:
		default:
		}
	}, func(uint64, int) ([]*mercure.Event, error) { return nil, errors.New("the ring should have had it") })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// await takes events from the tail until the position has come, and returns all their positions.
func (f *followed) await(t *testing.T, position uint64) (got []uint64) {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		got = append(got, next(t, f.tail)...)
		if n := len(got); n > 0 && got[n-1] >= position {
			return got
		}
		select {
		case <-f.woke:
		case <-patience:
			t.Fatalf("position %d did not come, but %v", position, got)
		}
	}
}

func (f *followed) awaitHead(t *testing.T, before, head uint64) {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		if b, h := f.feed.Bounds(); b == before && h == head {
			return
		}
		select {
		case <-f.woke:
		case <-patience:
			b, h := f.feed.Bounds()
			t.Fatalf("bounds are (%d, %d), want (%d, %d)", b, h, before, head)
		}
	}
}

func TestFollowerPublishesWhatOthersAppend(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	f.commit(7) // more than a page
	f.Start()
	wantRange(t, f.await(t, 7), 1, 7)
	f.commit(2)
	wantRange(t, f.await(t, 9), 8, 9)
	if id := f.feed.LastID(); id != f.events[8].ID() {
		t.Errorf("last id is %q, want that of the newest event", id)
	}
}

// Own batches lie between those of others, and are published by whoever comes first, but once.
func TestFollowerPublishesEachEventOnceAndInOrder(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	f.Start()
	var writers sync.WaitGroup
	writers.Go(func() {
		for range 200 {
			f.commit(2)
		}
	})
	writers.Go(func() {
		for i := range 200 {
			batch, x := f.commit(3)
			if err := f.Appended(t.Context(), batch, x); err != nil {
				t.Error(err)
			}
			if _, head := f.feed.Bounds(); head < batch[2].Position {
				t.Errorf("batch %d cannot be seen when its append returns", i)
			}
		}
	})
	var got []uint64
	for len(got) < 1000 {
		got = append(got, f.await(t, uint64(len(got)+1))...)
	}
	writers.Wait()
	wantRange(t, got, 1, 1000)
}

// What others committed before an own batch is read first: no position is passed over.
func TestAppendedFetchesWhatOthersCommittedBefore(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{}) // not started: only Appended fetches
	f.commit(7)
	batch, x := f.commit(2)
	f.commit(1) // after it; not this call's business
	if err := f.Appended(t.Context(), batch, x); err != nil {
		t.Fatal(err)
	}
	wantRange(t, next(t, f.tail), 1, 9)
	if f.fetches != 3 {
		t.Errorf("%d fetches, want 3 pages up to the batch", f.fetches)
	}
}

func TestAppendedReportsAHoleAndAnEngineThatIsAway(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	f.commit(2)
	batch, x := f.commit(1)
	f.change(func() { f.err = fmt.Errorf("%w: network", ErrUnavailable) })
	if err := f.Appended(t.Context(), batch, x); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without the engine: %v", err)
	}
	if got := next(t, f.tail); len(got) > 0 {
		t.Errorf("positions %v are visible although those before them are not known", got)
	}
	f.change(func() { f.err, f.events = nil, placed(0, 0, 0) }) // it has nothing where something was before the batch
	if err := f.Appended(t.Context(), batch, x); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a hole: %v", err)
	}
}

// Where retention took events before this node saw them, it goes on after the gap.
func TestFollowerPassesOverWhatRetentionTook(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	f.commit(2)
	f.Start()
	wantRange(t, f.await(t, 2), 1, 2)
	f.change(func() {
		batch := placed(2, 8, 10)
		f.events, f.before = batch[4:], 6 // 3 to 6 came and went
	})
	wantRange(t, f.await(t, 10), 7, 10)
	f.awaitHead(t, 6, 10)
}

func TestAppendedPassesOverWhatRetentionTook(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	f.commit(5)
	batch, _ := f.commit(2)
	f.remove(5)
	if err := f.Appended(t.Context(), batch, Extent{Before: 5, Head: 7, LastID: batch[1].ID()}); err != nil {
		t.Fatal(err)
	}
	wantRange(t, next(t, f.tail), 6, 7)
	if f.fetches > 0 {
		t.Error("what is gone was asked for")
	}
}

// Retention applied by another node shows here even when nothing new is left.
func TestFollowerLearnsTheStartOfTheHistory(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	f.commit(6)
	f.Start()
	f.awaitHead(t, 0, 6)
	f.remove(4)
	f.awaitHead(t, 4, 6)
	f.change(func() { f.events, f.before = nil, 9 }) // three more came, and all went
	f.awaitHead(t, 9, 9)
	if id := f.feed.LastID(); id != "gone" {
		t.Errorf("last id is %q, want that of the newest event ever", id)
	}
	f.commit(1)
	f.awaitHead(t, 9, 10)
}

// An event that does not follow the head, with nothing to explain the gap, is not shown.
func TestFollowerShowsNoEventAfterAnUnexplainedGap(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	far := placed(4, 2, 10)
	if head := f.publish(far, Extent{Before: 0, Head: 6, LastID: far[1].ID()}); head != 0 {
		t.Errorf("the head is %d", head)
	}
	if got := next(t, f.tail); len(got) > 0 {
		t.Errorf("positions %v are visible", got)
	}
}

// Positions that clients may have seen are never used again, whatever the engine lost.
func TestFollowerPassesOverLostPositions(t *testing.T) {
	t.Parallel()
	lost := make(chan [2]uint64, 1)
	f := follow(t, FollowerOptions{Lost: func(after, upto uint64) { lost <- [2]uint64{after, upto} }})
	f.commit(9)
	f.Start()
	wantRange(t, f.await(t, 9), 1, 9)
	f.change(func() { f.events = f.events[:5] })
	if got := <-lost; got != [2]uint64{5, 9} {
		t.Errorf("lost %v, want the events after 5 up to 9", got)
	}
	for deadline := time.Now().Add(time.Minute); f.missing(9); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the lost positions stay free")
		}
	}
	f.commit(2)
	wantRange(t, f.await(t, 11), 10, 11)
	f.Stop()
	if !slices.Equal(f.filled, []uint64{9}) {
		t.Errorf("filled up to %v, want 9 once", f.filled)
	}
}

func TestFollowerTellsOfContact(t *testing.T) {
	t.Parallel()
	told := make(chan error, 16)
	f := follow(t, FollowerOptions{Contacted: func(err error) { told <- err }})
	f.Start()
	cause := errors.New("connection refused")
	f.change(func() { f.err, f.awaits = cause, 0 })
	err := <-told
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, cause) {
		t.Errorf("told %v, want the cause wrapped in ErrUnavailable", err)
	}
	for deadline := time.Now().Add(time.Minute); f.attempts() < 5; runtime.Gosched() { // several attempts, one word
		if time.Now().After(deadline) {
			t.Fatal("the engine is not tried again")
		}
	}
	if err := f.Contact(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("contact is %v", err)
	}
	f.change(func() { f.err = nil })
	f.commit(1)
	if err := <-told; err != nil {
		t.Errorf("told %v, want that the engine is back", err)
	}
	if err := f.Contact(); err != nil {
		t.Errorf("contact is %v", err)
	}
	wantRange(t, f.await(t, 1), 1, 1)
	f.Stop()
	if len(told) > 0 {
		t.Errorf("told %v for nothing", <-told)
	}
}

// Who comes from another node sees what that node had, also before this one was told, and many who come at once are
// all told when it is away.
func TestRefreshSeesWhatAnyNodeHadCommitted(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{}) // not started: nothing else fetches
	f.commit(7)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRange(t, next(t, f.tail), 1, 7)
	f.remove(7)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.awaitHead(t, 7, 7)

	f.change(func() { f.fetches, f.err = 0, fmt.Errorf("%w: network", ErrUnavailable) })
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			if err := f.Refresh(t.Context()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("without the engine: %v", err)
			}
		})
	}
	clients.Wait()
}

// A look that began before the call may have missed what the caller knows of: it is served by the next.
func TestRefreshLooksAfterTheCall(t *testing.T) {
	t.Parallel()
	var r refreshes
	begun, end := make(chan int), make(chan struct{})
	looks := 0
	look := func() error {
		looks++
		begun <- looks
		<-end
		return nil
	}
	var clients sync.WaitGroup
	clients.Go(func() { _ = r.do(t.Context(), look) })
	<-begun
	clients.Go(func() { _ = r.do(t.Context(), look) })
	end <- struct{}{}
	if n := <-begun; n != 2 {
		t.Errorf("look %d serves who came during the first", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.mu.Lock()
	r.next = &refresh{done: make(chan struct{})} // somebody's
	r.mu.Unlock()
	if err := r.do(ended, look); !errors.Is(err, ErrUnavailable) {
		t.Errorf("who cannot wait: %v", err)
	}
	end <- struct{}{}
	clients.Wait()
}

func TestFollowerStops(t *testing.T) {
	t.Parallel()
	NewFollower(FollowerOptions{Feed: NewFeed(RingOptions{}), Source: newFakeEngine()}).Stop() // before Start
	for _, failing := range []error{nil, errors.New("away")} {
		f := follow(t, FollowerOptions{})
		f.err = failing
		f.Start()
		f.Stop()
		f.Stop()
		f.commit(1)
		if _, head := f.feed.Bounds(); head != 0 {
			t.Error("a follower that was stopped goes on")
		}
	}
}
