package stat

import (
	"math"
	"math/bits"
)

const (
	// subBits sets the precision: each power of two is split into 1<<subBits buckets, so a value is known
	// to within 1/64 of itself.
	subBits = 6
	sub     = 1 << subBits
	buckets = (64 - subBits) * sub
)

// Histogram counts durations in nanoseconds. Recording takes two nanoseconds and no memory; it is for
// one goroutine. The zero value is empty.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
	max    int64
}

// Record counts one value; a negative one, which a clock that stepped may give, counts as 0.
func (h *Histogram) Record(v int64) {
	v = max(v, 0)
	h.counts[bucket(uint64(v))]++
	h.total++
	h.max = max(h.max, v)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// Reset forgets everything.
func (h *Histogram) Reset() { *h = Histogram{} }

// Count returns how many values were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max returns the largest value, exactly.
func (h *Histogram) Max() int64 { return h.max }

// Quantile returns the value that a share q of all values does not exceed, rounded up to the end of
// its bucket but never above the largest value; 0 when nothing was recorded.
func (h *Histogram) Quantile(q float64) int64 {
	if h.total == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(h.total)))
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(upper(i), h.max)
		}
	}
	return h.max
}

// bucket numbers the buckets: values below 64 have one each; above, the power of two gives the row
// and the next six bits the place in it.
func bucket(v uint64) int {
	if v < sub {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)*sub + int(v>>shift) - sub
}

// upper returns the largest value of a bucket.
func upper(i int) int64 {
	if i < sub {
		return int64(i)
	}
	shift := i/sub - 1
	return int64((uint64(i%sub+sub+1) << shift) - 1)
}
