package topics

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	// bytesPerCounter is the share of the cache's memory for which ristretto gets one frequency
	// counter. Ristretto wants a few counters for each entry; an entry takes some 300 bytes.
	bytesPerCounter = 64
	// counterBytes is what a counter takes: four half bytes in the sketch and up to two bytes in the
	// filter before it, after both are rounded up to powers of two.
	counterBytes = 4
	// queueBytes is ristretto's fixed queue of additions.
	queueBytes = 256 << 10
	// answerOverhead is what an entry takes besides its strings: its slots in ristretto's maps when they
	// have just doubled, and what the allocator rounds up. BenchmarkCacheMemory measures that with
	// it the heap stays below the bound at every size of the cache.
	answerOverhead = 320
)

// CacheStats are the selector cache's counters since NewSpace.
type CacheStats struct {
	// Hits and Misses count the questions put to the cache: those to which the answer takes the URL
	// parser or the URL pattern library.
	Hits, Misses uint64
	// CostBytes is the memory that the cached answers take, in bytes, as estimated.
	CostBytes int64
}

// answer is a cached answer with the whole question.
type answer struct {
	key   string // the selector's
	topic string
	match bool
}

// cache remembers which URL patterns match which topics, where that is dear to find out. It is bounded by
// bytes. An answer depends on nothing but its question, so it never becomes wrong, only unused.
//
// The regular expressions of templates are not asked for here: one takes as long as a hit.
type cache struct {
	seed    maphash.Seed
	maxCost int64

	hits, misses atomic.Uint64

	// mu guards closed, and by being held for reading during every use of answers keeps Close from
	// closing ristretto's channels under a sender. It is held for no longer than one such use.
	mu      sync.RWMutex
	closed  bool
	answers *ristretto.Cache[uint64, answer]
}

// newCache returns a cache that takes no more than the given bytes.
func newCache(bytes int64) (*cache, error) {
	counters := bytes / bytesPerCounter
	c := &cache{seed: maphash.MakeSeed(), maxCost: bytes - counters*counterBytes - queueBytes}
	answers, err := ristretto.NewCache(&ristretto.Config[uint64, answer]{
		NumCounters:        counters,
		MaxCost:            c.maxCost,
		BufferItems:        64,
		IgnoreInternalCost: true, // answerOverhead has it.
		KeyToHash:          func(hash uint64) (uint64, uint64) { return hash, 0 },
	})
	if err != nil {
		return nil, err
	}
	c.answers = answers
	return c, nil
}

// hash returns the key under which an answer is kept.
func (c *cache) hash(key, topic string) uint64 {
	const odd = 0x9e3779b97f4a7c15
	return maphash.String(c.seed, key)*odd + maphash.String(c.seed, topic)
}

// get returns the answer for the selector's key and the topic, if it is remembered.
func (c *cache) get(hash uint64, key, topic string) (match, found bool) {
	c.mu.RLock()
	var a answer
	if !c.closed {
		a, found = c.answers.Get(hash)
	}
	c.mu.RUnlock()
	if !found || a.topic != topic || a.key != key {
		c.misses.Add(1)
		return false, false
	}
	c.hits.Add(1)
	return a.match, true
}

// put offers an answer to the cache, which may decline it.
func (c *cache) put(hash uint64, key, topic string, match bool) {
	// The topic may be a part of something larger.
	a := answer{key: key, topic: strings.Clone(topic), match: match}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		c.answers.Set(hash, a, int64(len(key)+len(topic)+answerOverhead))
	}
}

func (c *cache) stats() CacheStats {
	s := CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load()}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		s.CostBytes = c.maxCost - c.answers.RemainingCost()
	}
	return s
}

// close empties the cache and joins ristretto's goroutines. It is idempotent.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.answers.Close()
	}
}
