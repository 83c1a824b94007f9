package stat

import "slices"

// Spread sums up the same figure from several runs.
type Spread struct {
	Median, Min, Max float64
	Runs             int
}

// Spreads returns the median, least and greatest of values; zeros when there are none.
func Spreads(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Clone(values)
	slices.Sort(v)
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	return Spread{Median: mid, Min: v[0], Max: v[len(v)-1], Runs: len(v)}
}
