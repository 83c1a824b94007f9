package persistence

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"hubd/mercure"
)

// Extent is what a log holds at one moment.
type Extent struct {
	// Before is the position before the oldest retained event, Head that of the newest; both are
	// equal when nothing is retained.
	Before, Head uint64
	// LastID is the id of the newest event ever stored, or empty if there was none.
	LastID string
}

// Feed is the part of a log that its readers see without going to the store: the extent, the ring of
// the newest events and the tails. Back ends embed it in their Log and differ in how they store.
//
// One goroutine, the appender, calls Reset, Publish and Wake; all other methods may be called from anywhere.
type Feed struct {
	ring   *Ring
	extent atomic.Pointer[Extent]
	closed atomic.Bool

	// follower keeps the feed of a Shared log up; nil in other logs.
	follower atomic.Pointer[Follower]

	// mu guards changes of tails, which are replaced and never modified; it is held while a slice of
	// pointers is copied.
	mu    sync.Mutex
	tails atomic.Pointer[[]*tail]
}

// NewFeed returns the feed of an empty log.
func NewFeed(o RingOptions) *Feed {
	f := &Feed{ring: NewRing(o)}
	f.extent.Store(&Extent{})
	f.tails.Store(&[]*tail{})
	return f
}

// Reset sets the extent to what a back end found in its store. The ring starts empty at the head.
func (f *Feed) Reset(x Extent) {
	f.ring.Reset(x.Head)
	f.extent.Store(&x)
}

// Publish makes committed events and the new extent visible. The events are in the ring before the
// extent says so: nobody finds a head without its events. A back end removes nothing from its store
// that is not outside the extent yet. Wake is to be called next.
func (f *Feed) Publish(events []*mercure.Event, x Extent) {
	f.ring.Add(events)
	f.extent.Store(&x)
}

// Wake notifies the tails.
func (f *Feed) Wake() {
	for _, t := range *f.tails.Load() {
		t.notify()
	}
}

// Extent returns the extent as it stands.
func (f *Feed) Extent() Extent { return *f.extent.Load() }

// Bounds implements Log.
func (f *Feed) Bounds() (before, head uint64) {
	x := f.extent.Load()
	return x.Before, x.Head
}

// LastID implements Log.
func (f *Feed) LastID() string {
	if x := f.extent.Load(); x.LastID != "" {
		return x.LastID
	}
	return mercure.Earliest
}

// At returns the retained event at the position if the ring holds it, and nil otherwise.
func (f *Feed) At(position uint64) *mercure.Event {
	if x := f.extent.Load(); position <= x.Before || position > x.Head {
		return nil
	}
	return f.ring.At(position)
}

// Read answers Log.Read from the ring, or returns false if the store has to.
func (f *Feed) Read(after uint64, maxBytes int) ([]*mercure.Event, bool) {
	x := f.extent.Load()
	return f.ring.Read(max(after, x.Before), x.Head, maxBytes, nil)
}

// Close ends all tails: their Next returns ErrClosed.
func (f *Feed) Close() { f.closed.Store(true) }

// Closed tells whether Close was called.
func (f *Feed) Closed() bool { return f.closed.Load() }

// Tail implements Log.Tail. Events that the ring no longer holds are read with read, which has the
// contract of Log.Read.
func (f *Feed) Tail(after uint64, notify func(), read func(after uint64, maxBytes int) ([]*mercure.Event, error)) (Tail, error) {
	if f.Closed() {
		return nil, ErrClosed
	}
	t := &tail{feed: f, notify: notify, read: read, place: after}
	f.mu.Lock()
	defer f.mu.Unlock()
	tails := append(slices.Clone(*f.tails.Load()), t)
	f.tails.Store(&tails)
	return t, nil
}

// check reports a page of the store that readers may not go on with. A log of its own is left alone: it passes over
// records that it cannot read, and tells of each.
func (f *Feed) check(ctx context.Context, page []*mercure.Event, after uint64) error {
	follower := f.follower.Load()
	if follower == nil {
		return nil
	}
	return checkFollowed(ctx, f.Bounds, follower.Refresh, page, after)
}

func (f *Feed) remove(t *tail) {
	f.mu.Lock()
	defer f.mu.Unlock()
	tails := slices.DeleteFunc(slices.Clone(*f.tails.Load()), func(other *tail) bool { return other == t })
	f.tails.Store(&tails)
}
