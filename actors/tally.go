package actors

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// tally is what is counted in one lane. Whoever runs the lane alone writes it, which is the same worker as a rule, so its lines
// of the cache stay with a core; whoever reads adds up the tallies of all lanes.
type tally struct {
	deliveries, replayed count
	// passed are bytes of batches that their audiences have handed on, and waiting those that subscribers keep since.
	passed, waiting count
	ages            [ageBuckets]count
	// age is the sum of all ages in nanoseconds.
	age count
}

// count is a number with one writer and any readers.
type count struct{ n atomic.Int64 }

func (c *count) add(n int64) { c.n.Store(c.n.Load() + n) }
func (c *count) load() int64 { return c.n.Load() }

// Ages of deliveries fall into buckets whose bounds double from ageUnit on; the last has no bound.
const (
	ageUnit    = 100 * time.Microsecond
	ageBuckets = 20
)

func bucket(age time.Duration) int {
	if age <= 0 {
		return 0
	}
	return min(bits.Len64(uint64((age-1)/ageUnit)), ageBuckets-1)
}

// written counts writes that carried so many events together, of which the log accepted the first so long ago.
func (t *tally) written(writes, events int, age time.Duration) {
	if writes == 0 {
		return
	}
	t.deliveries.add(int64(events))
	t.ages[bucket(age)].add(int64(writes))
	t.age.add(int64(writes) * int64(age))
}

// Ages is the distribution of how long before a write to a socket the log had accepted the first event in it.
type Ages struct {
	// Bounds are the buckets' upper bounds; Counts has one element more, for what exceeds the last.
	Bounds []time.Duration
	Counts []uint64
	Sum    time.Duration
}

// Ages returns the distribution since the start, one count for each write of live events.
func (s *Stats) Ages() Ages {
	a := Ages{Bounds: make([]time.Duration, ageBuckets-1), Counts: make([]uint64, ageBuckets)}
	for i := range a.Bounds {
		a.Bounds[i] = ageUnit << i
	}
	for _, t := range s.tallies {
		for i := range t.ages {
			a.Counts[i] += uint64(t.ages[i].load())
		}
		a.Sum += time.Duration(t.age.load())
	}
	return a
}

// sum adds up one count of all lanes.
func (s *Stats) sum(of func(t *tally) *count) (n int64) {
	for _, t := range s.tallies {
		n += of(t).load()
	}
	return n
}
