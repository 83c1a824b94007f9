package topics

import "hubd/mercure"

// Index finds the selectors that match a topic. It is used by one goroutine.
//
// Literals are found in a map. Patterns are found by their literal text and then asked; so a lookup
// costs what the patterns that resemble the topic cost, whether or not the topic was ever seen. The
// topic is parsed once, and only if there are URL patterns.
type Index[T any] struct {
	space *Space

	// Every node is in one of these. Literals come in two types, of which one topic may have both.
	all       []*Node[T]
	exact     map[string]*Node[T]
	literals  map[string]*Node[T]
	urls      gramIndex[*Node[T]] // by locator
	templates gramIndex[*Node[T]] // by topic

	patterns   map[string]*Node[T] // the nodes of urls and templates by the keys of their selectors
	len        int
	generation uint64

	subject    subject    // of the lookup under way, kept here to save an allocation
	candidates []*Node[T] // likewise; empty between lookups
}

// Node is the place of one matcher in an Index.
type Node[T any] struct {
	// Value belongs to the user of the index.
	Value T

	selector *Selector
	index    *Index[T] // nil once the node has been removed
}

// Selector returns the node's selector.
func (n *Node[T]) Selector() *Selector { return n.selector }

// NewIndex returns an empty index of selectors that the space has compiled.
func NewIndex[T any](s *Space) *Index[T] {
	x := &Index[T]{space: s}
	x.reset()
	return x
}

// reset gives the memory of an empty index back, since maps do not shrink.
func (x *Index[T]) reset() {
	x.all, x.candidates = nil, nil
	x.exact = make(map[string]*Node[T])
	x.literals = make(map[string]*Node[T])
	x.patterns = make(map[string]*Node[T])
}

// Add returns the node of the selector's matcher, which it creates with a zero Value if there is none.
func (x *Index[T]) Add(sel *Selector) (n *Node[T], created bool) {
	if n := x.node(sel); n != nil {
		return n, false
	}
	n = &Node[T]{selector: sel, index: x}
	switch sel.kind {
	case matchesAll:
		x.all = append(x.all, n)
	case matchesLiteral:
		x.literalsOf(sel)[sel.pattern()] = n
	default:
		x.gramsOf(sel).add(sel.anchor(), n)
		x.patterns[sel.key] = n
	}
	x.len++
	x.generation++
	return n, true
}

// node returns the node of the selector's matcher, or nil.
func (x *Index[T]) node(sel *Selector) *Node[T] {
	switch sel.kind {
	case matchesAll:
		for _, n := range x.all {
			if n.selector.key == sel.key {
				return n
			}
		}
		return nil
	case matchesLiteral:
		return x.literalsOf(sel)[sel.pattern()]
	}
	return x.patterns[sel.key]
}

func (x *Index[T]) literalsOf(sel *Selector) map[string]*Node[T] {
	if sel.typ == mercure.Exact {
		return x.exact
	}
	return x.literals
}

func (x *Index[T]) gramsOf(sel *Selector) *gramIndex[*Node[T]] {
	if sel.kind == matchesURL {
		return &x.urls
	}
	return &x.templates
}

// Remove takes the node out of the index. A node that is not in it is ignored.
func (x *Index[T]) Remove(n *Node[T]) {
	if n == nil || n.index != x {
		return
	}
	n.index = nil
	sel := n.selector
	switch sel.kind {
	case matchesAll:
		for i := range x.all {
			if x.all[i] == n {
				x.all = append(x.all[:i:i], x.all[i+1:]...)
				break
			}
		}
	case matchesLiteral:
		delete(x.literalsOf(sel), sel.pattern())
	default:
		x.gramsOf(sel).remove(sel.anchor(), n)
		delete(x.patterns, sel.key)
	}
	x.generation++
	if x.len--; x.len == 0 {
		x.reset()
	}
}

// Lookup appends the nodes whose selectors match the topic, each once and in no particular order.
func (x *Index[T]) Lookup(topic string, dst []*Node[T]) []*Node[T] {
	dst = append(dst, x.all...)
	if n := x.exact[topic]; n != nil {
		dst = append(dst, n)
	}
	if n := x.literals[topic]; n != nil {
		dst = append(dst, n)
	}
	if x.urls.len == 0 && x.templates.len == 0 {
		return dst
	}

	x.subject.topic, x.subject.resolution = topic, unresolved
	candidates := x.candidates[:0]
	if x.templates.len > 0 {
		candidates = x.templates.find(topic, candidates)
	}
	if x.urls.len > 0 && x.space.resolve(&x.subject) {
		candidates = x.urls.find(x.subject.location.locator, candidates)
	}
	for _, n := range candidates {
		if x.space.match(n.selector, &x.subject) {
			dst = append(dst, n)
		}
	}
	// The topic and the nodes belong to others.
	clear(candidates)
	x.candidates = candidates[:0]
	x.subject = subject{}
	return dst
}

// Len returns the number of nodes.
func (x *Index[T]) Len() int { return x.len }

// Generation returns a number that changes whenever a node is added or removed, so that an answer of
// Lookup may be kept for as long as it stays the same.
func (x *Index[T]) Generation() uint64 { return x.generation }
