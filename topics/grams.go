package topics

import (
	"iter"
	"slices"
)

const (
	gramLen = 3
	// gramLists is the number of lists over which the entries of a gramIndex are spread.
	gramLists = 4096

	// In an anchor, control characters stand for its start and its end, so that a short literal there
	// makes grams as well. The marks of globs stand between its literal parts.
	anchorStart = "\x02"
	anchorEnd   = "\x03"
)

// gramIndex finds, for a text, the values whose anchor the text may have. An anchor is the literal text
// of a pattern: all that matches has each of its literal parts.
//
// It is an inverted index of grams, the substrings of gramLen bytes. Each value is listed under one gram
// of its anchor, the one that the fewest anchors had when it was added, such as a part of the number in
// https://example.com/users/7311/*. A text has the anchors that are listed under its grams, and of
// those it is held against a digest of all their grams. So it does not matter where in the patterns
// the distinctive text is, and none of the costs depends on how an adversary chooses the prefixes.
type gramIndex[V comparable] struct {
	lists []gramList[V] // gramLists of them, or none in an empty index
	rest  []V           // the values without a gram
	len   int
}

// gramList lists values under the grams of one hash.
type gramList[V comparable] struct {
	uses    int // occurrences of the grams in all anchors
	entries []gramEntry[V]
}

type gramEntry[V comparable] struct {
	digest gramSet
	value  V
}

// gram is the hash of a gram.
type gram uint32

func hashGram(a, b, c byte) gram {
	return gram((uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9e3779b1)
}

// list returns the number of the gram's list.
func (g gram) list() int { return int(g >> 20) }

// gramSet is a digest of a set of grams. That of a text's grams contains that of each anchor it has.
type gramSet [4]uint64

func (s *gramSet) add(g gram) { s[g>>18&3] |= 1 << (g >> 12 & 63) }

// in reports whether all of the digest is in another.
func (s *gramSet) in(all *gramSet) bool {
	return s[0]&^all[0]|s[1]&^all[1]|s[2]&^all[2]|s[3]&^all[3] == 0
}

// anchorGrams yields the grams of the anchor's literal parts.
func anchorGrams(anchor string) iter.Seq[gram] {
	return func(yield func(gram) bool) {
		for part := range literals(anchor) {
			for i := range len(part) - gramLen + 1 {
				if !yield(hashGram(part[i], part[i+1], part[i+2])) {
					return
				}
			}
		}
	}
}

// add adds a value that is not in the index.
func (x *gramIndex[V]) add(anchor string, value V) {
	if x.lists == nil {
		x.lists = make([]gramList[V], gramLists)
	}
	x.len++
	e := gramEntry[V]{value: value}
	var rarest *gramList[V]
	for g := range anchorGrams(anchor) {
		e.digest.add(g)
		list := &x.lists[g.list()]
		if rarest == nil || list.uses < rarest.uses {
			rarest = list
		}
	}
	if rarest == nil {
		x.rest = append(x.rest, value)
		return
	}
	rarest.entries = append(rarest.entries, e)
	for g := range anchorGrams(anchor) {
		x.lists[g.list()].uses++
	}
}

// remove removes a value that was added with this anchor.
func (x *gramIndex[V]) remove(anchor string, value V) {
	if x.len--; x.len == 0 {
		x.lists, x.rest = nil, nil
		return
	}
	for g := range anchorGrams(anchor) {
		list := &x.lists[g.list()]
		list.uses--
		list.entries = slices.DeleteFunc(list.entries, func(e gramEntry[V]) bool { return e.value == value })
		if len(list.entries) == 0 {
			list.entries = nil
		}
	}
	x.rest = slices.DeleteFunc(x.rest, func(v V) bool { return v == value })
}

// find appends the values whose anchor the text seems to have, each once.
func (x *gramIndex[V]) find(text string, dst []V) []V {
	dst = append(dst, x.rest...)
	if x.len == len(x.rest) {
		return dst
	}
	var digest gramSet
	for g := range textGrams(text) {
		digest.add(g)
	}
	var seen [gramLists / 64]uint64
	for g := range textGrams(text) {
		n := g.list()
		entries := x.lists[n].entries
		if len(entries) == 0 || seen[n>>6]&(1<<(n&63)) != 0 {
			continue
		}
		seen[n>>6] |= 1 << (n & 63)
		for i := range entries {
			if e := &entries[i]; e.digest.in(&digest) {
				dst = append(dst, e.value)
			}
		}
	}
	return dst
}

// textGrams yields the grams of a text between the marks of its start and its end.
func textGrams(text string) iter.Seq[gram] {
	return func(yield func(gram) bool) {
		a, b := byte(0), anchorStart[0]
		for i := range len(text) {
			if c := text[i]; i == 0 || yield(hashGram(a, b, c)) {
				a, b = b, c
				continue
			}
			return
		}
		yield(hashGram(a, b, anchorEnd[0]))
	}
}
