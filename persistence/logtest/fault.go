package logtest

import (
	"testing"

	"hubd/mercure"
	"hubd/persistence"
)

func testFault(t *testing.T, b Backend) {
	run := func(name string, persisted bool, test func(*testing.T, *harness, *faults)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, b, persistence.Retention{MaxEvents: 50})
			place, ok := h.place.(Faulty)
			if !ok {
				t.Skip("the place cannot be made to fail")
			}
			h.append("", "before", "")
			test(t, h, &faults{h: h, place: place, persisted: persisted})
		})
	}
	for _, mode := range []struct {
		name      string
		persisted bool
	}{{"failed", false}, {"failed but persisted", true}} {
		run(mode.name+": readers go on with what they had", mode.persisted, func(t *testing.T, h *harness, f *faults) {
			tail := h.follow(0)
			f.fail("", "lost", "")
			h.check()
			h.checkEvents(0, tail.drain(t, 0))
			f.heal()
			h.check()
		})
		run(mode.name+": the next append", mode.persisted, func(t *testing.T, h *harness, f *faults) {
			tail := h.follow(3)
			f.fail("", "lost", "")
			f.place.Heal()
			f.settled()
			h.append("", "after")
			h.check()
			h.checkFind("lost")
			h.checkEvents(3, tail.await(t, 3, uint64(len(h.events))))
		})
		run(mode.name+": an append of nothing tries again", mode.persisted, func(t *testing.T, h *harness, f *faults) {
			f.fail("", "lost", "")
			if _, err := h.log.Append(nil); err == nil {
				t.Fatal("an append of nothing works while appends fail")
			}
			f.heal()
			h.check()
		})
		run(mode.name+": over and over", mode.persisted, func(t *testing.T, h *harness, f *faults) {
			for i := range 8 {
				f.fail("", "lost", string(rune('a'+i)))
				for range 2 {
					if _, err := h.log.Append(h.batch("", "refused")); err == nil {
						t.Fatal("an append works while appends fail")
					}
				}
				f.heal()
				h.append("", "after")
				h.check()
				h.checkFind("refused")
			}
		})
		run(mode.name+": then opened again", mode.persisted, func(t *testing.T, h *harness, f *faults) {
			if !b.Durable {
				t.Skip("the back end is not durable")
			}
			f.fail("", "lost", "")
			f.place.Heal()
			f.settled()
			h.reopen()
			h.check()
			h.append("", "after")
			h.check()
		})
	}
}

// faults makes the appends of a harness fail and keeps its model right.
type faults struct {
	h         *harness
	place     Faulty
	persisted bool
	pending   []*mercure.Event // persisted, not yet visible
}

// fail appends a batch, which fails.
func (f *faults) fail(ids ...string) {
	f.h.Helper()
	batch := f.h.batch(ids...)
	f.place.Fail(f.persisted)
	if _, err := f.h.log.Append(batch); err == nil {
		f.h.Fatal("the append does not fail")
	}
	if f.persisted {
		f.pending = append(f.pending, batch...)
	}
}

// heal ends the failures and lets the log find out what it has.
func (f *faults) heal() {
	f.h.Helper()
	f.place.Heal()
	f.settled()
	if position, err := f.h.log.Append(nil); err != nil || position != uint64(len(f.h.events))+1 {
		f.h.Fatalf("append of nothing after the failures: %d, %v, want %d", position, err, len(f.h.events)+1)
	}
}

// settled puts what was persisted into the model, and what it made the retention remove out of it.
func (f *faults) settled() {
	if len(f.pending) == 0 {
		return
	}
	for _, e := range f.pending {
		f.h.record(e)
	}
	f.pending = nil
	f.h.trim()
}
