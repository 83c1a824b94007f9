package actors

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
	"hubd/topics"
)

// growing has grown by the time that somebody follows it, as a log that others append to may.
type growing struct{ persistence.Log }

// Tail implements persistence.Log.
func (l growing) Tail(after uint64, notify func()) (persistence.Tail, error) {
	tail, err := l.Log.Tail(after, notify)
	notify()
	return tail, err
}

// A log that grows while the hub starts is followed from where it was.
func TestLogGrowsDuringStart(t *testing.T) {
	t.Parallel()
	log, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	r := newRigOn(t, log, Options{Log: growing{log}})
	p := newPipe()
	r.subscribe(t, p, "a", nil)
	r.publish(t, "a", "1")
	if got := p.next(t); !strings.Contains(got, "data: 1\n") {
		t.Errorf("the stream gets %q", got)
	}
}

// awayLog cannot read what lies before a position while its engine is away.
type awayLog struct {
	persistence.Log

	mu    sync.Mutex
	held  uint64 // position before the oldest event in memory
	away  bool
	err   error
	reads map[uint64]int
}

func (l *awayLog) set(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// Read implements persistence.Log.
func (l *awayLog) Read(after uint64, maxBytes int) ([]*mercure.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away && after < l.held {
		l.reads[after]++
		return nil, l.err
	}
	return l.Log.Read(after, maxBytes)
}

// An engine that is away ends no stream: who needs it waits, is tried again seldom, and gets everything when it is back;
// who needs only what is in memory is served by the one worker there is.
func TestReplayerWaitsForAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	inner, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	var batch []*mercure.Event
	for i := range 10 {
		batch = append(batch, mercure.NewEvent(&mercure.Update{Topics: []string{"a"}, Data: fmt.Sprint(i)}))
	}
	if _, err := inner.Append(batch); err != nil {
		t.Fatal(err)
	}
	log := &awayLog{Log: inner, held: 5, away: true, reads: map[uint64]int{}, err: fmt.Errorf("reading: %w", persistence.ErrUnavailable)}
	type answer struct {
		s *Subscriber
		p *page
	}
	answers := make(chan answer, 16)
	r := newReplayer(log, 1<<20, func(s *Subscriber, p *page, _ *turnstile) { answers <- answer{s, p} })
	r.start(1)
	defer r.stop()
	space, err := topics.NewSpace(topics.Options{BaseURL: "https://hub.example/.well-known/mercure"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(space.Close)
	want, err := space.NewSet([]mercure.Matcher{{Pattern: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	subscriber := func() *Subscriber { return &Subscriber{want: want} }
	old := []*Subscriber{subscriber(), subscriber(), subscriber()}
	for i, s := range old {
		r.request(&readRequest{s: s, after: uint64(i), anchored: true})
	}
	for range 3 {
		recent := subscriber()
		r.request(&readRequest{s: recent, after: 7, anchored: true})
		if a := <-answers; a.s != recent || a.p.err != nil || len(a.p.events) != 3 {
			t.Fatalf("who needs only what is in memory gets %+v", a.p)
		}
	}
	now := time.Now()
	r.retry(now) // too early
	for range 4 {
		now = now.Add(2 * maxPause)
		r.retry(now)
		r.retry(now) // one at a time
		for deadline := time.Now().Add(time.Minute); trying(r); runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatal("the trial does not end")
			}
		}
	}
	log.mu.Lock()
	total := 0
	for _, n := range log.reads {
		total += n
	}
	log.mu.Unlock()
	if total > len(old)+4 {
		t.Errorf("the store was asked %d times by %d streams and 4 trials", total, len(old))
	}
	log.set(false)
	r.retry(now.Add(2 * maxPause))
	got := map[*Subscriber]int{}
	for range old {
		a := <-answers
		if a.p.err != nil {
			t.Errorf("a stream ends: %v", a.p.err)
		}
		got[a.s] = len(a.p.events)
	}
	for i, s := range old {
		if got[s] != 10-i {
			t.Errorf("the stream after %d gets %d events, want %d", i, got[s], 10-i)
		}
	}
	// Any other failure of the store is final.
	log.set(true)
	log.mu.Lock()
	log.err = errors.New("input/output error")
	log.mu.Unlock()
	r.request(&readRequest{s: old[0], anchored: true})
	if a := <-answers; a.p.err == nil {
		t.Error("a history that cannot be read is no error")
	}
}

func trying(r *replayer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outage.trying
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	for want := minPause; want < 4*maxPause; want *= 2 {
		bound := min(want, maxPause)
		if got := b.next(); got < bound/2 || got > bound {
			t.Errorf("the wait is %s, want about %s", got, bound)
		}
	}
}
