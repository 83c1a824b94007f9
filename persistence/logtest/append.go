package logtest

import (
	"strings"
	"testing"

	"hubd/mercure"
	"hubd/persistence"
)

func testAppend(t *testing.T, b Backend) {
	t.Run("an empty log has nothing", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.check()
		h.checkFind("unknown")
	})
	t.Run("batches follow one another without gaps", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		for _, size := range []int{1, 3, 1, 40, 7} {
			h.append(make([]string, size)...)
			h.check()
		}
	})
	t.Run("an empty batch stores nothing", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		for want := uint64(1); want < 4; want++ {
			if position, err := h.log.Append(nil); err != nil || position != want {
				t.Fatalf("append of nothing: %d, %v, want %d", position, err, want)
			}
			h.append("")
		}
		h.check()
	})
	t.Run("the log keeps the events and not the slice", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		clear(h.append("", "mine", ""))
		h.check()
	})
	// "Publication": data is opaque to the hub and may be empty; so it may have any size.
	t.Run("events of extreme sizes", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		for _, u := range []*mercure.Update{
			{Topics: []string{"t"}},
			{Topics: []string{"t"}, Data: strings.Repeat("large\n", 200_000)},
			{Topics: []string{strings.Repeat("long", 3000), "t"}, ID: strings.Repeat("i", 5000)},
			{Topics: []string{"t"}, Data: "\r\n\n\r", ID: "\U0001F600 ü"},
		} {
			batch := []*mercure.Event{mercure.NewEvent(u)}
			first, err := h.log.Append(batch)
			if err != nil {
				t.Fatal(err)
			}
			h.appended(first, batch, []string{u.ID})
		}
		h.check()
	})
	// "Reconnection": ids disclose nothing, and each stands for one event.
	t.Run("made ids differ", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		seen := map[string]bool{}
		for range 20 {
			for _, e := range h.append(make([]string, 50)...) {
				if seen[e.ID()] {
					t.Fatalf("id %q was made twice", e.ID())
				}
				seen[e.ID()] = true
			}
		}
	})
}
