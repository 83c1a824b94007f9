package actors

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// Publishers wait while too much waits for the fan-out, and go on when half of the bound does.
func TestGateHoldsPublishersUntilTheFanOutHasCaughtUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lag atomic.Uint64
		g := newGate(100, time.Hour, lag.Load)
		lag.Store(100)
		if err := g.pass(nil); err != nil {
			t.Fatalf("a publish at the bound: %v", err)
		}
		lag.Store(101)
		var passed atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := g.pass(nil); err != nil {
					t.Error(err)
				}
				passed.Add(1)
			})
		}
		for _, step := range []struct{ lag, passed int64 }{{150, 0}, {51, 0}, {50, 10}} {
			lag.Store(uint64(step.lag))
			g.progress()
			synctest.Wait()
			if got := passed.Load(); got != step.passed {
				t.Errorf("with %d events waiting %d publishers went on, want %d", step.lag, got, step.passed)
			}
		}
		wg.Wait()
		if g.waiting.Load() != 0 || g.held.Load() != 10 {
			t.Errorf("%d wait and %d were held", g.waiting.Load(), g.held.Load())
		}
	})
}

// Whoever waits in vain is refused, and whoever waits when the hub ends is told so.
func TestGateRefusesAfterItsPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(100, 5*time.Second, func() uint64 { return 101 })
		start := time.Now()
		if err := g.pass(nil); !errors.Is(err, ErrBehind) || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %s, want ErrBehind after 5s", err, time.Since(start))
		}
		ended := make(chan struct{})
		close(ended)
		if err := g.pass(ended); !errors.Is(err, ErrStopping) {
			t.Errorf("after the end: %v, want ErrStopping", err)
		}
	})
}

// The sequencer hands out no more than half of what a queue holds and then waits for the workers, so that a stream
// whose client keeps up never overflows; what comes meanwhile goes out in one round.
func TestSequencerWaitsForTheWorkers(t *testing.T) {
	t.Parallel()
	m := newSimulation(t, 1, persistence.Retention{})
	out := &handOver{simulation: m}
	m.q.out = out
	all, err := m.space.NewSet([]mercure.Matcher{{Pattern: mercure.Wildcard}})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{room: 1 << 20}
	c.s = &Subscriber{hub: m, conn: c, want: all, grants: all, member: -1}
	m.employ(c.s, true)
	m.settle()
	publish := func(topic string) {
		if _, err := m.log.Append([]*mercure.Event{mercure.NewEvent(&mercure.Update{Topics: []string{topic}})}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.q.advance(); err != nil {
			t.Fatal(err)
		}
	}
	publish("1")
	size := c.s.audience.posts.newest.Load().batch.cost
	m.q.queueBytes = 4*size - 1 // two make more than half of it, and one more than a quarter
	for _, topic := range []string{"2", "3", "4"} {
		publish(topic)
	}
	if got := m.stats.Dispatched(); got != 2 || len(out.asked) != 1 {
		t.Fatalf("with two rounds under way %d events were fanned out, and word was asked for %d times", got, len(out.asked))
	}
	m.q.handled(out.asked[0])
	if m.q.ahead != (handled{}) {
		t.Fatalf("the workers have %+v in hand after all was handled", m.q.ahead)
	}
	if _, err := m.q.advance(); err != nil {
		t.Fatal(err)
	}
	if got := m.stats.Dispatched(); got != 4 {
		t.Fatalf("after a round %d events were fanned out, want all 4", got)
	}
	last := c.s.audience.posts.newest.Load().batch
	if len(last.marks) != 2 {
		t.Errorf("the last batch holds %d events, want the two that came meanwhile", len(last.marks))
	}
}

// handOver counts what the sequencer asks for and never says that it is done.
type handOver struct {
	*simulation
	asked []handled
}

func (h *handOver) whenHandled(m handled) { h.asked = append(h.asked, m) }
