package stat

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQuantile holds the histogram against sorted values: never below, and at most 1/64 above.
func TestQuantile(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 100, 10_000} {
		var h Histogram
		var values []int64
		for range n {
			v := random.Int64N(1 << random.IntN(50))
			values = append(values, v)
			h.Record(v)
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := min(max(int(float64(n)*q+0.999999), 1), n)
			exact := values[rank-1]
			got := h.Quantile(q)
			if got < exact || got > exact+exact/sub {
				t.Errorf("%d values, quantile %v: %d, exactly %d", n, q, got, exact)
			}
		}
		if h.Max() != values[n-1] || h.Count() != uint64(n) {
			t.Errorf("max %d, count %d", h.Max(), h.Count())
		}
	}
}

func TestEmptyHistogram(t *testing.T) {
	t.Parallel()
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Count() != 0 {
		t.Error("an empty histogram has values")
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	t.Parallel()
	for i := range buckets - 1 {
		top := upper(i)
		if top < 0 {
			break // beyond the range of durations
		}
		if bucket(uint64(top)) != i || bucket(uint64(top)+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, which is in %d, and the next in %d", i, top, bucket(uint64(top)), bucket(uint64(top)+1))
		}
	}
}

func TestMergeAndReset(t *testing.T) {
	t.Parallel()
	var a, b Histogram
	a.Record(-5)
	b.Record(1000)
	a.Merge(&b)
	if a.Count() != 2 || a.Max() != 1000 || a.Quantile(0.5) != 0 {
		t.Errorf("count %d, max %d, median %d", a.Count(), a.Max(), a.Quantile(0.5))
	}
	a.Reset()
	if a != (Histogram{}) {
		t.Error("something is left after Reset")
	}
}

func TestSpreads(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		values []float64
		want   Spread
	}{
		{"none", nil, Spread{}},
		{"one", []float64{3}, Spread{3, 3, 3, 1}},
		{"odd", []float64{9, 1, 2}, Spread{2, 1, 9, 3}},
		{"even", []float64{4, 1, 2, 9}, Spread{3, 1, 9, 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := Spreads(test.values); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Record(int64(i) * 1000)
	}
}
