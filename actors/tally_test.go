package actors

import (
	"testing"
	"time"
)

// A bucket holds what is at most its bound and more than the bound before.
func TestAgesFallIntoTheirBuckets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		age    time.Duration
		bucket int
	}{
		{-time.Second, 0}, // a clock that was set back
		{0, 0},
		{1, 0},
		{100 * time.Microsecond, 0},
		{100*time.Microsecond + 1, 1},
		{200 * time.Microsecond, 1},
		{200*time.Microsecond + 1, 2},
		{time.Millisecond, 4},
		{100 * time.Microsecond << 18, 18},
		{100*time.Microsecond<<18 + 1, 19},
		{time.Hour, 19},
	} {
		s := Stats{tallies: []*tally{{}, {}}}
		s.tallies[1].written(1, 3, test.age)
		ages := s.Ages()
		if ages.Counts[test.bucket] != 1 || ages.Sum != test.age || s.Deliveries() != 3 {
			t.Errorf("%s: counts %v, sum %s, %d deliveries", test.age, ages.Counts, ages.Sum, s.Deliveries())
		}
		if i := test.bucket; i < len(ages.Bounds) && test.age > ages.Bounds[i] || i > 0 && test.age <= ages.Bounds[i-1] {
			t.Errorf("%s is not within the bounds of bucket %d", test.age, i)
		}
	}
}
