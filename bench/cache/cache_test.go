package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

func TestZipf(t *testing.T) {
	t.Parallel()
	const n, draws = 1000, 200_000
	for _, skew := range []float64{0, 0.7, 1, 1.3} {
		random := rand.New(rand.NewPCG(1, 2))
		z := newZipf(n, skew)
		var counts [n]int
		for range draws {
			counts[z.draw(random)]++
		}
		sum := 0.0
		for i := range n {
			sum += math.Pow(float64(i+1), -skew)
		}
		for _, i := range []int{0, 1, 9} {
			want := draws * math.Pow(float64(i+1), -skew) / sum
			if got := float64(counts[i]); math.Abs(got-want) > 6*math.Sqrt(want) {
				t.Errorf("skew %v: number %d was drawn %v times, want about %v", skew, i, got, want)
			}
		}
	}
}

func TestLRUForgetsTheOldest(t *testing.T) {
	t.Parallel()
	l, err := newLRU(3 * (lruOverhead + 1))
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		topic string
		known bool
	}{{"a", false}, {"b", false}, {"c", false}, {"a", true}, {"d", false}, {"a", true}, {"b", false}, {"c", false}} {
		if got := l.ask(uint64(step.topic[0]), "s", step.topic); got != step.known {
			t.Errorf("step %d: %s is known: %t", i, step.topic, got)
		}
	}
	// The same hash is not the same question.
	if l.ask('c', "s", "x") || l.ask('x', "other", "c") {
		t.Error("an answer to another question")
	}
	if _, err := newLRU(0); !errors.Is(err, errCost) {
		t.Errorf("%v", err)
	}
}

// TestLRUStaysInItsMemory fills an LRU of several sizes, since its map grows in steps, and holds the heap to its
// bound. It is not parallel: the heap is everyone's.
func TestLRUStaysInItsMemory(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, bytes := range []int64{4 << 20, 5 << 20, 6 << 20, 8 << 20} {
		before := heap()
		l, err := newLRU(bytes)
		if err != nil {
			t.Fatal(err)
		}
		for i := range bytes / 128 {
			l.ask(uint64(i)*0x9e3779b97f4a7c15, "s", fmt.Sprintf("https://bench.example/books/%d", i))
		}
		used := heap() - before
		t.Logf("%d bytes are used of %d", used, bytes)
		if used > bytes {
			t.Error("that is too much")
		}
		runtime.KeepAlive(l)
	}
}

// TestHitRates holds what must be true of any cache: more skew and fewer scans mean more hits, and two ways to
// measure the same cache say the same.
func TestHitRates(t *testing.T) {
	t.Parallel()
	for name, measure := range map[string]func(context.Context, Options) (float64, error){
		"selector cache": Selector, "LRU": LRU, "equal LRU": EqualLRU,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rate := func(skew float64, scan bool) float64 {
				hits, err := measure(t.Context(), Options{Bytes: 1 << 20, Questions: 8_000, Skew: skew, Scan: scan})
				if err != nil {
					t.Fatal(err)
				}
				return hits
			}
			low, high, scanned := rate(0.7, false), rate(1.3, false), rate(1.3, true)
			if low <= 0 || low >= high || high >= 1 || scanned >= high {
				t.Errorf("%v at skew 0.7, %v at 1.3, %v with a scan", low, high, scanned)
			}
		})
	}
	if _, err := Selector(t.Context(), Options{Bytes: 1}); err == nil {
		t.Error("a cache without room")
	}
	if _, err := EqualLRU(t.Context(), Options{Bytes: 1}); err == nil {
		t.Error("an LRU without room")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := LRU(ctx, Options{Bytes: 1 << 20, Questions: 100, Skew: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
