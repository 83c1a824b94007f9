package cache

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// lruOverhead is what an answer takes in the LRU besides the text of its topic: the entry, its slot in a map
// that has just doubled, and what the allocator rounds up. TestLRUStaysInItsMemory holds it against the heap.
const lruOverhead = 176

// What topics/cache.go counts for its own tables and for an answer.
const (
	tablesShare   = 16 // one byte of so many is a counter's
	queueBytes    = 256 << 10
	cacheOverhead = 320
)

var errCost = errors.New("an LRU without room")

// answer is what the selector cache keeps too: the whole question, since a hash may be shared.
type answer struct {
	selector, topic string
	match           bool
}

// lru is an LRU that is bounded by bytes.
type lru struct {
	answers *simplelru.LRU[uint64, answer]
	room    int64
	cost    func(selector, topic string) int64
}

// newLRU returns an LRU that takes no more than the given bytes.
func newLRU(bytes int64) (*lru, error) {
	return makeLRU(bytes, func(_, topic string) int64 { return lruOverhead + int64(len(topic)) })
}

// newEqualLRU returns an LRU with room for as many answers as the selector cache has in the given bytes.
func newEqualLRU(bytes int64) (*lru, error) {
	return makeLRU(bytes-bytes/tablesShare-queueBytes, func(selector, topic string) int64 {
		return cacheOverhead + int64(len(selector)+len(topic))
	})
}

func makeLRU(room int64, cost func(selector, topic string) int64) (*lru, error) {
	if room <= 0 {
		return nil, errCost
	}
	l := &lru{room: room, cost: cost}
	var err error
	l.answers, err = simplelru.NewLRU(math.MaxInt, func(_ uint64, a answer) { l.room += l.cost(a.selector, a.topic) })
	if err != nil {
		return nil, fmt.Errorf("make an LRU: %w", err)
	}
	return l, nil
}

// ask reports whether the question was remembered, and remembers it.
func (l *lru) ask(hash uint64, selector, topic string) bool {
	if a, ok := l.answers.Get(hash); ok && a.topic == topic && a.selector == selector {
		return true
	}
	l.room -= l.cost(selector, topic)
	for l.room < 0 && l.answers.Len() > 0 {
		l.answers.RemoveOldest()
	}
	l.answers.Add(hash, answer{selector, strings.Clone(topic), true})
	return false
}
