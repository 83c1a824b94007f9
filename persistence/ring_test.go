package persistence

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"hubd/mercure"
)

func ringPositions(r *Ring, after, head uint64) []uint64 {
	var positions []uint64
	events, _ := r.Read(after, head, 1<<30, nil)
	for _, e := range events {
		positions = append(positions, e.Position)
	}
	return positions
}

func TestRingHoldsTheNewest(t *testing.T) {
	t.Parallel()
	cost := int64(Size(newEvent(100)) + eventOverhead)
	for _, tc := range []struct {
		name    string
		options RingOptions
		held    uint64
	}{
		{"bounded by slots", RingOptions{Slots: 8}, 8},
		{"bounded by bytes", RingOptions{Slots: 64, Bytes: 5*cost + 1}, 5},
		{"bounded to one", RingOptions{Slots: 1}, 1},
		{"too small for any", RingOptions{Bytes: cost - 1}, 0},
	} {
		r := NewRing(tc.options)
		for head := uint64(0); head < 40; head += 4 {
			r.Add(placed(head, 4, 100))
			last := head + 4
			first := last - min(tc.held, last) + 1
			for position := uint64(1); position <= last; position++ {
				if e := r.At(position); (e != nil) != (position >= first) || e != nil && e.Position != position {
					t.Fatalf("%s: at %d of %d there is %v, the first held should be %d", tc.name, position, last, e, first)
				}
				events, ok := r.Read(position-1, last, 1<<30, nil)
				if ok != (position >= first) || ok && uint64(len(events)) != last-position+1 {
					t.Fatalf("%s: read after %d of %d: %d events, %t", tc.name, position-1, last, len(events), ok)
				}
			}
			if r.Before() != first-1 {
				t.Fatalf("%s: before is %d, want %d", tc.name, r.Before(), first-1)
			}
		}
	}
}

func TestRingLetsGoOfWhatItDrops(t *testing.T) {
	t.Parallel()
	r := NewRing(RingOptions{Slots: 64, Bytes: 4000})
	large, small := placed(1, 1, 3500), placed(0, 1, 10)
	r.Add(small)
	r.Add(large)
	r.Add(placed(2, 1, 3500))
	held := 0
	for i := range r.slots {
		if r.slots[i].Load() != nil {
			held++
		}
	}
	if held != 1 || r.cost != int64(Size(large[0])+eventOverhead) {
		t.Errorf("%d events of cost %d are held, want the last alone", held, r.cost)
	}
}

func TestRingReadBounds(t *testing.T) {
	t.Parallel()
	r := NewRing(RingOptions{Slots: 16})
	r.Add(placed(0, 10, 100))
	frame := len(r.At(1).Frame())
	prefix := placed(90, 1, 1)
	for _, tc := range []struct {
		name        string
		after, head uint64
		maxBytes    int
		want        int
		ok          bool
	}{
		{"all", 0, 10, 1 << 20, 10, true},
		{"up to a head before the newest", 2, 6, 1 << 20, 4, true},
		{"at the head", 10, 10, 1 << 20, 0, true},
		{"beyond the head", 15, 10, 1 << 20, 0, true},
		{"bytes for three", 0, 10, 3 * frame, 3, true},
		{"bytes for almost three", 0, 10, 3*frame - 1, 2, true},
		{"bytes for none give one", 4, 10, 0, 1, true},
		{"a head that is not there yet", 8, 12, 1 << 20, 2, true},
		{"nothing there yet", 10, 12, 1 << 20, 0, false},
	} {
		got, ok := r.Read(tc.after, tc.head, tc.maxBytes, prefix)
		if ok != tc.ok || len(got) != tc.want+1 || got[0] != prefix[0] {
			t.Errorf("%s: %d events and %t, want %d and %t", tc.name, len(got)-1, ok, tc.want, tc.ok)
		}
		for i, e := range got[1:] {
			if e.Position != tc.after+uint64(i)+1 {
				t.Errorf("%s: event %d of the page is at %d", tc.name, i, e.Position)
			}
		}
	}
}

func TestRingStartsAnewAfterAGap(t *testing.T) {
	t.Parallel()
	r := NewRing(RingOptions{Slots: 16})
	r.Add(placed(0, 10, 10))
	r.Add(placed(12, 3, 10))
	if got := fmt.Sprint(ringPositions(r, 12, 15), ringPositions(r, 5, 15), r.Before()); got != "[13 14 15] [] 12" {
		t.Errorf("after a gap the ring has %s", got)
	}
	r.Reset(40)
	r.Add(placed(40, 2, 10))
	if got := fmt.Sprint(ringPositions(r, 40, 42), r.Before()); got != "[41 42] 40" {
		t.Errorf("after a reset the ring has %s", got)
	}
	if r.cost != 2*int64(Size(r.At(41))+eventOverhead) {
		t.Errorf("two events cost %d", r.cost)
	}
}

func TestRingOptionsValidate(t *testing.T) {
	t.Parallel()
	for _, o := range []RingOptions{{Slots: 3}, {Slots: -8}, {Bytes: -1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for _, o := range []RingOptions{{}, {Slots: 1}, {Slots: 1024, Bytes: 1}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestRingConcurrentReads holds that a reader sees an event at its own position or none, whatever the
// adder overtakes meanwhile.
func TestRingConcurrentReads(t *testing.T) {
	t.Parallel()
	r := NewRing(RingOptions{Slots: 64})
	var head atomic.Uint64
	var readers sync.WaitGroup
	const last = 20_000
	for range 3 {
		readers.Go(func() {
			var page []*mercure.Event
			for {
				h := head.Load()
				after := h - min(h, rand.Uint64N(100))
				page, _ = r.Read(after, h, 4000, page[:0])
				for i, e := range page {
					if e.Position != after+uint64(i)+1 || e.Position > h {
						t.Errorf("event %d is number %d after %d up to %d", e.Position, i, after, h)
						return
					}
				}
				if h == last {
					return
				}
				runtime.Gosched()
			}
		})
	}
	events := placed(0, last, 20)
	for len(events) > 0 {
		n := min(len(events), 1+rand.IntN(50))
		r.Add(events[:n])
		head.Store(events[n-1].Position)
		events = events[n:]
	}
	readers.Wait()
}

// BenchmarkRing also reports what an event in the ring takes of the heap, beside what it is charged.
func BenchmarkRing(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		r := NewRing(RingOptions{Slots: 1024})
		events := placed(0, 1<<16, 200)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			r.Add(events[i%len(events) : i%len(events)+1])
		}
	})
	b.Run("heap", func(b *testing.B) {
		for b.Loop() {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			const n = 10_000
			r := NewRing(RingOptions{Slots: 1 << 14})
			for i := range uint64(n) {
				e := mercure.NewEvent(&mercure.Update{Topics: []string{fmt.Sprintf("https://example.com/books/%d", i)}, Data: string(make([]byte, 128))})
				e.Position = i + 1
				r.Add([]*mercure.Event{e})
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/event")
			b.ReportMetric(float64(r.cost)/n, "charged-B/event")
		}
	})
}
