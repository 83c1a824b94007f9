package persistence

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"hubd/mercure"
)

// Many events keep their order across commits, whether or not there are credits for all at once.
func TestAppendAllKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for _, credits := range []int{1, 7, 4096} {
		var mu sync.Mutex
		var got []*mercure.Event
		log := &stubLog{append: func(batch []*mercure.Event) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, batch...)
			return nil
		}}
		s := newStore(t, Options{Log: log, Credits: credits})
		events := make([]*mercure.Event, 700)
		for i := range events {
			events[i] = newEvent(10)
		}
		stored, err := s.AppendAll(events)
		if err != nil || stored != len(events) || !slices.Equal(got, events) {
			t.Fatalf("with %d credits: stored %d (%v), the log has %d", credits, stored, err, len(got))
		}
		if s.Waiting() != 0 {
			t.Fatalf("with %d credits: %d were not given back", credits, s.Waiting())
		}
	}
}

// What was stored before a failure is counted, what came after it is not.
func TestAppendAllCountsWhatWasStored(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	batches := 0
	log := &stubLog{append: func([]*mercure.Event) error {
		if batches++; batches > 1 {
			return broken
		}
		return nil
	}}
	s := newStore(t, Options{Log: log, BatchEvents: 10, Credits: 10})
	events := make([]*mercure.Event, 30)
	for i := range events {
		events[i] = newEvent(10)
	}
	stored, err := s.AppendAll(events)
	if !errors.Is(err, ErrFailed) || stored < 1 || stored > 10 {
		t.Fatalf("stored %d: %v", stored, err)
	}
	if s.Waiting() != 0 {
		t.Fatalf("%d credits were not given back", s.Waiting())
	}
	s.Stop()
	if stored, err := s.AppendAll(events); !errors.Is(err, ErrStopped) || stored != 0 {
		t.Fatalf("after stop: stored %d: %v", stored, err)
	}
}
