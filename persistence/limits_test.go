package persistence

import (
	"errors"
	"testing"

	"hubd/mercure"
)

// limitedLog takes batches of two events of 200 bytes each.
type limitedLog struct {
	stubLog
	largest int
}

func (l *limitedLog) Limits() Limits { return Limits{BatchEvents: 2, EventBytes: 200} }

// A log that refuses large batches and large events never gets any: the store would be taken for broken.
func TestStoreKeepsToTheLimitsOfItsLog(t *testing.T) {
	t.Parallel()
	l := &limitedLog{}
	l.append = func(batch []*mercure.Event) error {
		l.largest = max(l.largest, len(batch))
		for _, e := range batch {
			if RecordCap(e) > 200 {
				return errors.New("too large for this log")
			}
		}
		return nil
	}
	s := newStore(t, Options{Log: l})
	if err := s.Append(newEvent(300)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("append of a large event: %v", err)
	}
	small := make([]*mercure.Event, 9)
	for i := range small {
		small[i] = newEvent(10)
	}
	if stored, err := s.AppendAll(small); stored != len(small) || err != nil {
		t.Errorf("append of many: %d, %v", stored, err)
	}
	if stored, err := s.AppendAll([]*mercure.Event{newEvent(10), newEvent(300)}); stored != 1 || !errors.Is(err, ErrTooLarge) {
		t.Errorf("append of a small and a large event: %d, %v", stored, err)
	}
	if l.largest != 2 {
		t.Errorf("the largest batch has %d events", l.largest)
	}
	if err := s.Err(); err != nil {
		t.Errorf("the store has failed: %v", err)
	}
}
