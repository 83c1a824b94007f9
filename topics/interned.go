package topics

import (
	"runtime"
	"sync"
	"weak"

	"hubd/mercure"
)

// interned holds the selectors of patterns that are in use somewhere, so that ten thousand subscribers
// with the same pattern share one. It does not keep them alive: a selector leaves with its last user.
type interned struct {
	mu        sync.Mutex // guards selectors; held for a map access only
	selectors map[mercure.Matcher]weak.Pointer[Selector]
}

// get returns the selector of the matcher, or nil if none is in use.
func (i *interned) get(m mercure.Matcher) *Selector {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.selectors[m].Value()
}

// add returns the selector to use for its matcher: sel, or one that another goroutine added first.
func (i *interned) add(sel *Selector) *Selector {
	m := sel.Matcher()
	i.mu.Lock()
	defer i.mu.Unlock()
	if first := i.selectors[m].Value(); first != nil {
		return first
	}
	if i.selectors == nil {
		i.selectors = make(map[mercure.Matcher]weak.Pointer[Selector])
	}
	i.selectors[m] = weak.Make(sel)
	runtime.AddCleanup(sel, i.forget, m)
	return sel
}

// forget drops the matcher unless it has got a new selector in the meantime.
func (i *interned) forget(m mercure.Matcher) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.selectors[m].Value() == nil {
		delete(i.selectors, m)
	}
	if len(i.selectors) == 0 {
		i.selectors = nil // Maps do not shrink.
	}
}
