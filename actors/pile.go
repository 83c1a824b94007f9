package actors

import "sync/atomic"

// pile is a queue of many senders and one receiver in one word, without a lock. The word also says whether the
// receiver must be told: whoever adds to a resting pile has to, and nobody else.
//
//	resting (nil) ──add: tell the receiver──> filled ──take──> empty (end) ──rest──> resting
//	                                             ^                  │
//	                                             └───────add────────┘
//
// Items are linked newest first; take turns them into the order in which they were added.
type pile[T any, P linked[T]] struct {
	newest atomic.Pointer[T]
	// end stands for an empty pile whose receiver is at work. Piles may share it; it never changes.
	end *T
}

// linked is an item that stands in one pile at a time.
type linked[T any] interface {
	*T
	// link returns the place of the pointer to the neighbour.
	link() **T
}

// add adds an item and reports whether the pile was resting.
func (p *pile[T, P]) add(item *T) (resting bool) {
	for {
		before := p.newest.Load()
		*P(item).link() = before
		if p.newest.CompareAndSwap(before, item) {
			return before == nil
		}
	}
}

// filled reports whether there are items; one that is being added may not be seen yet.
func (p *pile[T, P]) filled() bool {
	newest := p.newest.Load()
	return newest != nil && newest != p.end
}

// take empties the pile and returns its items, the oldest first, each linked to the next. For the receiver alone.
func (p *pile[T, P]) take() (oldest *T) {
	for item := p.newest.Swap(p.end); item != nil && item != p.end; {
		link := P(item).link()
		before := *link
		*link = oldest
		oldest, item = item, before
	}
	return oldest
}

// rest says that the receiver is done. It reports false if something was added since take: then the receiver goes on.
func (p *pile[T, P]) rest() bool { return p.newest.CompareAndSwap(p.end, nil) }
