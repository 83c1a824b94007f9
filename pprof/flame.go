package pprof

import (
	"cmp"
	"slices"
)

const (
	// maxNodes bounds a flame graph, which a browser has to draw.
	maxNodes = 4000
	// leastShare is the part of the whole that a node has to have: narrower ones cannot be seen.
	leastShare = 2000
)

// node is a call in a flame graph, with the calls below it.
type node struct {
	Name string `json:"name"`
	// Value is of the profile looked at, Base of the earlier one; both with what is below.
	Value    int64   `json:"value"`
	Base     int64   `json:"base,omitempty"`
	Children []*node `json:"children,omitempty"`

	byName map[string]*node
}

// add adds a stack, the innermost call first.
func (n *node) add(calls []frame, value int64, base bool) {
	n.count(value, base)
	for _, call := range slices.Backward(calls) {
		child := n.byName[call.name]
		if child == nil {
			child = &node{Name: call.name}
			if n.byName == nil {
				n.byName = map[string]*node{}
			}
			n.byName[call.name] = child
		}
		child.count(value, base)
		n = child
	}
}

func (n *node) count(value int64, base bool) {
	if base {
		n.Base += value
		return
	}
	n.Value += value
}

// width is the larger of both values, by which a node is judged.
func (n *node) width() int64 { return max(n.Value, n.Base) }

// pruned fills the children in, without those that are too narrow to be seen in a graph of the whole's width.
func (n *node) pruned(whole int64) *node {
	for least := whole / leastShare; ; least = max(2*least, 1) {
		if n.prune(least) <= maxNodes {
			return n
		}
	}
}

// prune keeps the children of at least a width, the widest first, and returns how many nodes there are.
func (n *node) prune(least int64) (count int) {
	n.Children, count = n.Children[:0], 1
	for _, child := range n.byName {
		if child.width() < max(least, 1) {
			continue
		}
		count += child.prune(least)
		n.Children = append(n.Children, child)
	}
	slices.SortFunc(n.Children, func(a, b *node) int {
		return cmp.Or(cmp.Compare(b.width(), a.width()), cmp.Compare(a.Name, b.Name))
	})
	return count
}
