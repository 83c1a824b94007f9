package logtest

import (
	"fmt"
	"testing"

	"hubd/persistence"
)

func testFind(t *testing.T, b Backend) {
	t.Run("first, last and unknown", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.append("", "urn:mine:1")
		h.appendMany(5, 10)
		h.append("urn:mine:2", "")
		h.check()
		for _, id := range []string{"", "unknown", "earliest", "urn:mine:", "urn:uuid:", h.events[0].id + " ", "urn:uuid:00000000-0000-8000-8000-000000000000"} {
			h.checkFind(id)
		}
	})
	// "Reconnection": a reused id resolves to the earliest such update in the hub's history.
	t.Run("a reused id is the earliest in the history", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 20})
		for i := range 60 {
			if i%7 == 0 {
				h.append("again", "", "again")
			} else {
				h.append("")
			}
			h.checkFind("again")
		}
		h.check()
	})
	t.Run("an id that the log made and a publisher used again", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 10})
		made := h.append("")[0].ID()
		h.append(made, "")
		h.append(made)
		for range 15 {
			h.checkFind(made)
			h.append("")
		}
		h.check()
	})
	t.Run("a made id is unknown once its event is gone", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 3})
		for range 8 {
			h.append("", "")
			h.check()
		}
	})
	// A restored backup hands out positions again, and with them ids that publishers have seen.
	t.Run("a publisher's use of an id that the log makes later", func(t *testing.T) {
		t.Parallel()
		h, later := restored(t, b)
		h.append("", later)
		if e := h.append("")[0]; e.ID() != later {
			t.Fatalf("the third event has id %q, want %q as before", e.ID(), later)
		}
		for range 12 {
			h.checkFind(later)
			h.append("")
		}
	})
	t.Run("an id that the log would have made for an event with another", func(t *testing.T) {
		t.Parallel()
		h, later := restored(t, b)
		h.append("", "", "mine")
		for range 12 {
			h.checkFind(later)
			h.checkFind("mine")
			h.append("")
		}
	})
	t.Run("ids of another log are unknown", func(t *testing.T) {
		t.Parallel()
		h, other := newHarness(t, b, persistence.Retention{}), newHarness(t, b, persistence.Retention{})
		h.appendMany(1, 10)
		other.appendMany(1, 10)
		for _, e := range other.events {
			h.checkFind(e.id)
		}
	})
	// Enough for an index that is kept in parts to have several.
	t.Run("many chosen ids", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 9000})
		ids := make([]string, 1000)
		for round := range 20 {
			for i := range ids {
				switch {
				case i%10 == 0:
					ids[i] = "" // made by the log
				case i%10 == 1:
					ids[i] = fmt.Sprintf("reused %d", i) // once in each round
				default:
					ids[i] = fmt.Sprintf("urn:example:%d:%d", round, i)
				}
			}
			h.append(ids...)
		}
		for position := h.before - 1500; position < uint64(len(h.events)); position += 13 {
			h.checkFind(h.events[position].id)
		}
		if b.Durable {
			h.reopen()
			for position := h.before - 1500; position < uint64(len(h.events)); position += 13 {
				h.checkFind(h.events[position].id)
			}
		}
		h.checkBounds()
	})
}

// restored returns a log that was put back to its beginning after three events, and the id that it made
// for the third of them.
func restored(t *testing.T, b Backend) (h *harness, later string) {
	t.Helper()
	if !b.Durable {
		t.Skip("a log that is not durable cannot be put back to an earlier state")
	}
	h = newHarness(t, b, persistence.Retention{MaxEvents: 10})
	place, ok := h.place.(Restorer)
	if !ok {
		t.Skip("the place cannot be put back to an earlier state")
	}
	restore := place.Snapshot(t, h.log)
	later = h.append("", "", "")[2].ID()
	if err := h.log.Close(); err != nil {
		t.Fatal(err)
	}
	restore()
	h.events, h.byID, h.size = nil, map[string][]uint64{}, 0
	h.open()
	return h, later
}
