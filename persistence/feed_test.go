package persistence

import (
	"errors"
	"testing"

	"hubd/mercure"
)

// source is a store of events for tails that fall behind the ring.
type source struct {
	events []*mercure.Event // from position 1 on
	before uint64           // removed up to here
	err    error
	reads  int
}

func (s *source) read(after uint64, maxBytes int) ([]*mercure.Event, error) {
	s.reads++
	if s.err != nil {
		return nil, s.err
	}
	return s.events[max(after, s.before):], nil
}

func (s *source) publish(f *Feed, n int) {
	batch := placed(uint64(len(s.events)), n, 10)
	s.events = append(s.events, batch...)
	newest := batch[n-1]
	f.Publish(batch, Extent{Before: s.before, Head: newest.Position, LastID: newest.ID()})
	f.Wake()
}

func next(t *testing.T, tail Tail) []uint64 {
	t.Helper()
	events, err := tail.Next(nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var positions []uint64
	for _, e := range events {
		positions = append(positions, e.Position)
	}
	return positions
}

func wantRange(t *testing.T, got []uint64, first, last uint64) {
	t.Helper()
	if uint64(len(got)) != last-first+1 {
		t.Fatalf("positions %v, want %d to %d", got, first, last)
	}
	for i, position := range got {
		if position != first+uint64(i) {
			t.Fatalf("positions %v, want %d to %d", got, first, last)
		}
	}
}

func TestFeedExtent(t *testing.T) {
	t.Parallel()
	f, s := NewFeed(RingOptions{}), &source{}
	if before, head := f.Bounds(); before != 0 || head != 0 || f.LastID() != mercure.Earliest {
		t.Errorf("an empty feed has bounds (%d, %d) and last id %q", before, head, f.LastID())
	}
	s.publish(f, 3)
	if before, head := f.Bounds(); before != 0 || head != 3 || f.LastID() != s.events[2].ID() {
		t.Errorf("after three events: bounds (%d, %d) and last id %q", before, head, f.LastID())
	}
}

// The memory and bolt back ends emit the very events that were appended.
func TestTailReturnsTheEventsThatWerePublished(t *testing.T) {
	t.Parallel()
	f, s := NewFeed(RingOptions{Slots: 8}), &source{}
	tail, err := f.Tail(0, func() {}, s.read)
	if err != nil {
		t.Fatal(err)
	}
	s.publish(f, 5)
	events, err := tail.Next(nil, 1<<20)
	if err != nil || len(events) != 5 || s.reads != 0 {
		t.Fatalf("%d events, %v and %d reads of the store, want 5 from the ring", len(events), err, s.reads)
	}
	for i, e := range events {
		if e != s.events[i] {
			t.Errorf("event %d is a copy", e.Position)
		}
	}
}

func TestTailBehindTheRingReadsTheStore(t *testing.T) {
	t.Parallel()
	f, s := NewFeed(RingOptions{Slots: 8}), &source{}
	s.publish(f, 30)
	tail, err := f.Tail(3, func() {}, s.read)
	if err != nil {
		t.Fatal(err)
	}
	s.err = errors.New("disk")
	if _, err := tail.Next(nil, 100); !errors.Is(err, s.err) {
		t.Fatalf("next: %v, want the store's error", err)
	}
	s.err = nil
	wantRange(t, next(t, tail), 4, 30)
	s.publish(f, 2)
	wantRange(t, next(t, tail), 31, 32)
	if s.reads != 2 {
		t.Errorf("%d reads of the store, want 2", s.reads)
	}
}

func TestTailBehindEverythingGoesOnWithWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		removed, first uint64
	}{
		{"the store has more than the ring", 10, 11},
		{"the ring has more than the store", 28, 23},
		{"the store has nothing", 30, 23},
	} {
		f, s := NewFeed(RingOptions{Slots: 8}), &source{}
		tail, err := f.Tail(2, func() {}, s.read)
		if err != nil {
			t.Fatal(err)
		}
		s.publish(f, 29)
		s.before = tc.removed
		s.publish(f, 1)
		t.Log(tc.name)
		wantRange(t, next(t, tail), tc.first, 30)
	}
}

func TestTailNeverPassesTheExtent(t *testing.T) {
	t.Parallel()
	f, s := NewFeed(RingOptions{Slots: 8}), &source{}
	tail, err := f.Tail(0, func() {}, s.read)
	if err != nil {
		t.Fatal(err)
	}
	s.publish(f, 2)
	f.ring.Add(placed(2, 2, 10)) // as between the two steps of Publish
	wantRange(t, next(t, tail), 1, 2)
	if got := next(t, tail); len(got) > 0 {
		t.Errorf("positions %v before the extent has them", got)
	}
}

func TestFeedNotifiesOpenTailsAfterTheCommit(t *testing.T) {
	t.Parallel()
	f, s := NewFeed(RingOptions{}), &source{}
	var seen []uint64
	notify := func() {
		_, head := f.Bounds()
		seen = append(seen, head)
	}
	first, _ := f.Tail(0, notify, s.read)
	second, _ := f.Tail(0, notify, s.read)
	s.publish(f, 2)
	first.Close()
	first.Close()
	s.publish(f, 1)
	second.Close()
	s.publish(f, 1)
	if len(seen) != 3 || seen[0] != 2 || seen[1] != 2 || seen[2] != 3 {
		t.Errorf("notified at heads %v, want [2 2 3]", seen)
	}
}

func TestFeedReadAndAtKeepToTheRetention(t *testing.T) {
	t.Parallel()
	f, s := NewFeed(RingOptions{Slots: 8}), &source{}
	s.publish(f, 4)
	s.before = 3
	s.publish(f, 2)
	if f.At(3) != nil || f.At(4) == nil || f.At(6) == nil || f.At(7) != nil {
		t.Error("At does not keep to what is retained")
	}
	page, ok := f.Read(0, 1<<20)
	if !ok || len(page) != 3 || page[0].Position != 4 {
		t.Errorf("read returns %d events and %t, want the 3 retained", len(page), ok)
	}
}

func TestFeedClose(t *testing.T) {
	t.Parallel()
	f, s := NewFeed(RingOptions{}), &source{}
	tail, _ := f.Tail(0, func() {}, s.read)
	s.publish(f, 1)
	f.Close()
	if _, err := tail.Next(nil, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("next: %v, want ErrClosed", err)
	}
	if _, err := f.Tail(0, func() {}, s.read); !errors.Is(err, ErrClosed) {
		t.Errorf("tail: %v, want ErrClosed", err)
	}
}
