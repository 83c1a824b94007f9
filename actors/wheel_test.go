package actors

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A deadline is never served early, at most two ticks late, and once.
func TestWheelServesEachDeadlineOnce(t *testing.T) {
	t.Parallel()
	start := time.Unix(1e9, 0)
	w := newWheel(start)
	rng := rand.New(rand.NewPCG(1, 2))
	type entry struct {
		s      *Subscriber
		at     time.Time
		served int
	}
	entries := make(map[*Subscriber]*entry)
	for range 2000 {
		s := new(Subscriber)
		s.deadline.subscriber = s
		e := &entry{s: s}
		for range 1 + rng.IntN(3) { // armed again: only the last time counts
			e.at = start.Add(time.Duration(rng.Int64N(int64(10 * time.Minute))))
			w.arm(&s.deadline, e.at)
		}
		if rng.IntN(5) == 0 {
			w.disarm(&s.deadline)
			w.disarm(&s.deadline)
			e.served = 1 // must not be served
			e.at = time.Time{}
		}
		entries[s] = e
	}
	for now := start; now.Before(start.Add(11 * time.Minute)); now = now.Add(100 * time.Millisecond) {
		for _, s := range w.advance(now, nil) {
			e := entries[s]
			if e.served++; e.served > 1 {
				t.Fatalf("deadline %s was served twice, or although it was disarmed", e.at)
			}
			if now.Before(e.at) || now.After(e.at.Add(2*wheelTick)) {
				t.Fatalf("deadline %s was served at %s", e.at, now)
			}
		}
	}
	for _, e := range entries {
		if e.served != 1 {
			t.Fatalf("deadline %s was never served", e.at)
		}
	}
	for _, slot := range w.slots {
		if slot != nil {
			t.Fatal("wheel is not empty")
		}
	}
}
