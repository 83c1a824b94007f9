package cache

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"

	"hubd/mercure"
	"hubd/topics"
)

const (
	// distinct is how many topics are asked for again and again: many times what the cache has room for.
	distinct = 200_000
	// scanShare is the share of questions about topics that nobody asks for a second time, in a mix with a scan.
	scanShare = 0.3
	base      = "https://bench.example/.well-known/mercure"
	// pattern takes the library to match, which is what the selector cache is for.
	pattern = `https://bench.example/books/:id(\d+)`
)

// Options describe one measurement.
type Options struct {
	// Bytes is what the cache may take.
	Bytes int64
	// Questions are counted after as many again that fill the cache.
	Questions int
	// Skew is the exponent of the topics' distribution.
	Skew float64
	// Scan mixes topics in that are asked for once.
	Scan bool
}

// Selector returns the share of questions that the selector cache answers.
func Selector(ctx context.Context, o Options) (float64, error) {
	space, err := topics.NewSpace(topics.Options{BaseURL: base, CacheBytes: o.Bytes})
	if err != nil {
		return 0, fmt.Errorf("measure the selector cache: %w", err)
	}
	defer space.Close()
	sel, err := space.Compile(mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern})
	if err != nil {
		return 0, fmt.Errorf("measure the selector cache: %w", err)
	}
	var before topics.CacheStats
	err = o.each(ctx, func(topic string) { space.Match(sel, topic) }, func() { before = space.CacheStats() })
	after := space.CacheStats()
	hits, misses := after.Hits-before.Hits, after.Misses-before.Misses
	return float64(hits) / float64(max(hits+misses, 1)), err
}

// LRU returns the share of questions that an LRU in the same memory answers.
func LRU(ctx context.Context, o Options) (float64, error) { return o.lru(ctx, newLRU) }

// EqualLRU returns the share of questions that an LRU answers that has room for as many answers as the
// selector cache, and takes less memory for them: it compares which answers are kept, and not what they cost.
func EqualLRU(ctx context.Context, o Options) (float64, error) { return o.lru(ctx, newEqualLRU) }

func (o Options) lru(ctx context.Context, create func(bytes int64) (*lru, error)) (float64, error) {
	l, err := create(o.Bytes)
	if err != nil {
		return 0, err
	}
	seed := maphash.MakeSeed()
	hits := 0
	err = o.each(ctx, func(topic string) {
		if l.ask(maphash.String(seed, topic), pattern, topic) {
			hits++
		}
	}, func() { hits = 0 })
	return float64(hits) / float64(max(o.Questions, 1)), err
}

// each asks the questions, the same for equal options. It calls warm when the cache has been filled.
func (o Options) each(ctx context.Context, ask func(topic string), warm func()) error {
	random := rand.New(rand.NewPCG(1, 2))
	popular := newZipf(distinct, o.Skew)
	for i := range 2 * o.Questions {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if i == o.Questions {
			warm()
		}
		n := popular.draw(random)
		if o.Scan && random.Float64() < scanShare {
			n = distinct + i
		}
		ask(fmt.Sprintf("https://bench.example/books/%d", n))
	}
	return nil
}
