package logtest

import (
	"testing"

	"hubd/mercure"
	"hubd/persistence"
)

// follower is a tail and its notifications.
type follower struct {
	persistence.Tail
	log   persistence.Log
	woken chan struct{}
}

func (h *harness) follow(after uint64) *follower {
	h.Helper()
	f := &follower{log: h.log, woken: make(chan struct{}, 1)}
	tail, err := h.log.Tail(after, func() {
		select {
		case f.woken <- struct{}{}:
		default:
		}
	})
	if err != nil {
		h.Fatalf("tail after %d: %v", after, err)
	}
	f.Tail = tail
	return f
}

// drain returns what comes until there is nothing, in pages.
func (f *follower) drain(t testing.TB, after uint64) []*mercure.Event {
	t.Helper()
	var all []*mercure.Event
	for {
		n := len(all)
		var err error
		if all, err = f.Next(all, pageBytes); err != nil {
			t.Fatalf("next: %v", err)
		}
		if len(all) == n {
			return all
		}
		checkPage(t, f.log, all[n:], after, pageBytes)
		after = all[len(all)-1].Position
	}
}

// await waits until the tail has brought the event at the position, woken by notifications alone.
func (f *follower) await(t testing.TB, after, head uint64) []*mercure.Event {
	t.Helper()
	var all []*mercure.Event
	for after < head {
		<-f.woken
		all = append(all, f.drain(t, after)...)
		if len(all) > 0 {
			after = all[len(all)-1].Position
		}
	}
	return all
}

func testTail(t *testing.T, b Backend) {
	t.Run("from every position", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.appendMany(6, 5)
		for after := range uint64(31) {
			f := h.follow(after)
			h.checkEvents(after, f.drain(t, after))
			f.Close()
		}
	})
	t.Run("wakes for each append and follows it", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		first, second := h.follow(0), h.follow(7)
		for size := range 12 {
			head := uint64(len(h.events))
			h.appendMany(1, size+1)
			h.checkEvents(head, first.await(t, head, uint64(len(h.events))))
		}
		h.checkEvents(7, second.await(t, 7, uint64(len(h.events))))
		first.Close()
		h.appendMany(1, 3)
		h.checkEvents(78, second.await(t, 78, 81))
	})
	t.Run("keeps what is in the buffer", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.appendMany(1, 3)
		f := h.follow(1)
		buf, err := f.Next(h.readAll(0)[:1], pageBytes)
		if err != nil {
			t.Fatal(err)
		}
		h.checkEvents(0, buf)
		if again, err := f.Next(buf, pageBytes); err != nil || len(again) != len(buf) {
			t.Fatalf("at the head: %d events and %v, want the %d there were", len(again), err, len(buf))
		}
	})
	t.Run("of a history shorter than a batch", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 1})
		f := h.follow(0)
		for range 5 {
			head := uint64(len(h.events))
			h.appendMany(1, 6)
			for i, e := range f.await(t, head, head+6) {
				h.checkEvent(head+uint64(i)+1, e)
			}
		}
		h.check()
	})
	t.Run("passes over what is gone", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{MaxEvents: 3})
		f := h.follow(0)
		h.appendMany(5, 20)
		got := f.drain(t, 0)
		if len(got) < 3 || got[len(got)-1].Position != 100 {
			t.Fatalf("%d events, want at least the 3 retained", len(got))
		}
		for i, e := range got {
			h.checkEvent(got[0].Position+uint64(i), e)
		}
	})
	t.Run("from beyond the head", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		f := h.follow(10)
		h.appendMany(1, 8)
		if got := f.drain(t, 10); len(got) > 0 {
			t.Fatalf("event %d came, the tail began after 10", got[0].Position)
		}
		h.appendMany(1, 8)
		h.checkEvents(10, f.drain(t, 10))
	})
}
