package cache

import (
	"math"
	"math/rand/v2"
	"sort"
)

// zipf draws numbers below n, where number i has a weight of 1/(i+1)^skew. The one of math/rand knows no
// skew of 1 or less.
type zipf struct{ cumulative []float64 }

func newZipf(n int, skew float64) zipf {
	z := zipf{cumulative: make([]float64, n)}
	sum := 0.0
	for i := range z.cumulative {
		sum += math.Pow(float64(i+1), -skew)
		z.cumulative[i] = sum
	}
	return z
}

func (z zipf) draw(random *rand.Rand) int {
	at := random.Float64() * z.cumulative[len(z.cumulative)-1]
	return min(sort.SearchFloat64s(z.cumulative, at), len(z.cumulative)-1)
}
