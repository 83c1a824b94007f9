package logtest

import (
	"testing"
	"time"

	"hubd/persistence"
)

func testRetention(t *testing.T, b Backend) {
	for _, tc := range []struct {
		name      string
		retention persistence.Retention
	}{
		{"one event", persistence.Retention{MaxEvents: 1}},
		{"count", persistence.Retention{MaxEvents: 7}},
		{"age", persistence.Retention{MaxAge: 10 * time.Second}},
		{"bytes", persistence.Retention{MaxBytes: 3000}},
		{"fewer bytes than any event", persistence.Retention{MaxBytes: 1}},
		{"all", persistence.Retention{MaxEvents: 25, MaxAge: 20 * time.Second, MaxBytes: 6000}},
	} {
		t.Run("by "+tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, b, tc.retention)
			for i, step := range []time.Duration{1, 0, 3, 7, 0, 0, 11, 10, 1, 0, 2, 2, 2, 30, 0, 1} {
				h.now = h.now.Add(step * time.Second)
				h.appendMany(1, 1+i*5%17)
				h.check()
			}
			if b.Durable {
				h.reopen()
				h.check()
				h.now = h.now.Add(5 * time.Second)
				h.appendMany(3, 2)
				h.check()
			}
		})
	}
	t.Run("an event is kept for its whole age", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxAge: time.Minute})
		h.append("")
		h.now = h.now.Add(time.Minute)
		h.append("")
		if before, _ := h.log.Bounds(); before != 0 {
			t.Fatalf("the first event is gone after %s", time.Minute)
		}
		h.now = h.now.Add(time.Nanosecond)
		h.append("")
		h.check()
	})
	// A clock that was wrong for a while dates events in the future. They go with those that came after
	// them, and in the meantime everything is found: neither order nor ids follow from the clock.
	for _, tc := range []struct {
		name  string
		steps []time.Duration // seconds
	}{
		{"a clock set back", []time.Duration{0, 30, -3600, 30, 31, 3600, 61}},
		{"a clock that was years ahead", []time.Duration{0, 10 * 365 * 86400, 5, -10 * 365 * 86400, 20, 20, 20, 20, 20, 20}},
		{"a clock set back over and over", []time.Duration{0, -10, 50, -40, -40, 30, 30, -50, 61, 1, -100, 5, 61, 61}},
		{"a clock that begins in 1970", []time.Duration{0, -56 * 365 * 86400, 30, 56 * 365 * 86400, 1, 61}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, b, persistence.Retention{MaxAge: time.Minute})
			seen := map[string]bool{}
			for i, step := range tc.steps {
				h.now = h.now.Add(step * time.Second)
				for _, e := range h.append("", "again", "") {
					if !e.OwnID && seen[e.ID()] {
						t.Fatalf("id %q was made twice", e.ID())
					}
					seen[e.ID()] = true
				}
				h.check()
				if b.Durable && i%2 == 0 {
					h.reopen()
					h.check()
				}
			}
		})
	}
	// Far more than a back end may want to remove from its storage in one transaction.
	t.Run("everything at once", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxAge: time.Minute})
		h.appendMany(12, 1000)
		h.now = h.now.Add(time.Hour)
		for range 4 {
			h.append("", "own")
			h.check()
		}
	})
	t.Run("a bound that is lowered", func(t *testing.T) {
		t.Parallel()
		if !b.Durable {
			t.Skip("a log that is not durable cannot be opened with another bound")
		}
		h := newHarness(t, b, persistence.Retention{})
		h.appendMany(12, 1000)
		for _, n := range []uint64{11_000, 2000, 20} {
			h.retention.MaxEvents = n
			h.reopen()
			h.checkBounds()
			h.checkFind(h.events[h.before-1].id)
			h.checkFind(h.events[h.before].id)
		}
		h.check()
	})
}
