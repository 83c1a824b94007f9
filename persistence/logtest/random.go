package logtest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"hubd/persistence"
)

// testRandom does what no one thought of, in an order that the seed repeats.
func testRandom(t *testing.T, b Backend) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			var retention persistence.Retention
			if seed&1 > 0 {
				retention.MaxEvents = 1 + r.Uint64N(60)
			}
			if seed&2 > 0 {
				retention.MaxAge = time.Duration(1+r.IntN(100)) * time.Second
			}
			if seed&4 > 0 {
				retention.MaxBytes = 200 + r.Uint64N(20_000)
			}
			h := newHarness(t, b, retention)
			for range 60 {
				h.step(r)
				h.checkBounds()
				if len(h.events) > 0 {
					after := r.Uint64N(uint64(len(h.events)))
					h.checkEvents(after, h.readAll(after))
					h.checkFind(h.events[after].id)
				}
			}
			h.check()
		})
	}
}

func (h *harness) step(r *rand.Rand) {
	h.now = h.now.Add(time.Duration(r.IntN(5)) * time.Second)
	if r.IntN(20) == 0 { // the clock is set
		h.now = h.now.Add(time.Duration(r.IntN(200)-150) * time.Second)
	}
	switch n := r.IntN(10); {
	case n == 0 && h.backend.Durable:
		h.reopen()
	case n == 1:
		place, ok := h.place.(Crasher)
		if !ok {
			return
		}
		place.Crash(h)
		h.open()
	case n == 2:
		place, ok := h.place.(Faulty)
		if !ok {
			return
		}
		f := &faults{h: h, place: place, persisted: r.IntN(2) == 0}
		f.fail(randomIDs(h, r)...)
		f.heal()
	default:
		h.append(randomIDs(h, r)...)
	}
}

// randomIDs returns the ids of a batch: none, of a few that come again, new ones, and earlier ones.
func randomIDs(h *harness, r *rand.Rand) []string {
	ids := make([]string, 1+r.IntN(12))
	for i := range ids {
		switch n := r.IntN(8); {
		case n == 0:
			ids[i] = fmt.Sprint("reused ", r.IntN(4))
		case n == 1:
			ids[i] = fmt.Sprint("own ", len(h.events)+i)
		case n == 2 && len(h.events) > 0:
			ids[i] = h.events[r.IntN(len(h.events))].id
		}
	}
	return ids
}
