package logtest

import (
	"testing"

	"hubd/persistence"
)

func testRead(t *testing.T, b Backend) {
	t.Run("from every position", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.appendMany(6, 5)
		for after := range uint64(32) {
			h.checkEvents(min(after, 30), h.readAll(after))
		}
	})
	t.Run("a page has at least one event and fills its bytes", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.appendMany(1, 30)
		for _, after := range []uint64{0, 10, 25} { // behind the ring, across its start, within it
			for maxBytes := -1; maxBytes < 3000; maxBytes += 97 {
				page, err := h.log.Read(after, maxBytes)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					t.Fatalf("no event after %d for %d bytes", after, maxBytes)
				}
				checkPage(t, h.log, page, after, maxBytes)
				// A page may end where the ring begins; a full one leaves out only what does not fit.
				next := after + uint64(len(page))
				size := 0
				for _, e := range h.events[after:min(next+1, 30)] {
					size += len(e.frame)
				}
				if next < 22 && size <= maxBytes {
					t.Fatalf("a page after %d of %d bytes ends at %d although the next event fits", after, maxBytes, next)
				}
			}
		}
	})
	t.Run("paging while events are appended and removed", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 60})
		h.appendMany(6, 10)
		after := uint64(0)
		for round := range 200 {
			page, err := h.log.Read(after, 1500)
			if err != nil {
				t.Fatal(err)
			}
			checkPage(t, h.log, page, after, 1500)
			if after < h.before && len(page) > 0 && page[0].Position != h.before+1 {
				t.Fatalf("the page after %d begins at %d, the oldest event is %d", after, page[0].Position, h.before+1)
			}
			if len(page) == 0 {
				if after != uint64(len(h.events)) {
					t.Fatalf("an empty page at %d, the head is %d", after, len(h.events))
				}
				break
			}
			for _, e := range page {
				h.checkEvent(e.Position, e)
			}
			after = page[len(page)-1].Position
			if round < 50 {
				h.appendMany(1, 2+round%3)
			}
		}
		h.check()
	})
}
