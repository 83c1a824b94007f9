package logtest

import (
	"testing"
	"time"

	"hubd/persistence"
)

func testReopen(t *testing.T, b Backend) {
	if !b.Durable {
		t.Skip("the back end is not durable")
	}
	t.Run("everything is as it was", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 25})
		h.reopen()
		h.check()
		for i := range 12 {
			h.append("", "own", "", string(rune('a'+i)))
			h.reopen()
			h.check()
		}
		f := h.follow(h.before)
		h.checkEvents(0, f.drain(t, h.before))
	})
	t.Run("retention has removed everything", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxAge: time.Minute})
		h.append("", "own", "last")
		h.now = h.now.Add(time.Hour)
		for range 2 {
			h.reopen()
			h.check()
			if before, head := h.log.Bounds(); before != 3 || head != 3 {
				t.Fatalf("bounds are (%d, %d), want nothing after 3", before, head)
			}
		}
		h.append("own", "")
		h.check()
		h.reopen()
		h.check()
	})
	t.Run("ids go on", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		seen := map[string]bool{}
		for range 6 {
			for _, e := range h.append("", "", "") {
				if seen[e.ID()] {
					t.Fatalf("id %q was made twice", e.ID())
				}
				seen[e.ID()] = true
			}
			h.reopen()
		}
	})
	t.Run("after a crash", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 40})
		place, ok := h.place.(Crasher)
		if !ok {
			t.Skip("the place cannot crash")
		}
		for i := range 15 {
			h.append("", "own", string(rune('a'+i)), "", "")
			place.Crash(t)
			h.open()
			h.check()
		}
	})
}
