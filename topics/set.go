package topics

import (
	"slices"
	"strings"

	"hubd/mercure"
)

// fewLiterals is the number of literals up to which comparing them one by one beats a map, which
// would also cost every stream some hundred bytes.
const fewLiterals = 8

// Set is a list of selectors without duplicates, of which any may match. It is immutable and safe for
// concurrent use. A nil *Set has no selectors.
type Set struct {
	space     *Space
	selectors []*Selector
	key       string

	all      bool                // one of the selectors matches every topic
	literals map[string]struct{} // nil if there are few
	patterns []*Selector         // those that are neither wildcard nor literal
}

// NewSet compiles the matchers, of which it drops duplicates. Errors are those of Compile.
func (s *Space) NewSet(ms []mercure.Matcher) (*Set, error) {
	set := &Set{space: s, selectors: make([]*Selector, 0, len(ms))}
	seen := make(map[mercure.Matcher]struct{}, len(ms))
	for _, m := range ms {
		if _, ok := seen[m]; ok {
			continue
		}
		sel, err := s.Compile(m)
		if err != nil {
			return nil, err
		}
		seen[m] = struct{}{}
		set.selectors = append(set.selectors, sel)
	}
	set.sortOut()
	return set, nil
}

// sortOut derives what matching needs from the selectors.
func (set *Set) sortOut() {
	keys := make([]string, 0, len(set.selectors))
	var literals []string
	for _, sel := range set.selectors {
		keys = append(keys, sel.key)
		switch sel.kind {
		case matchesAll:
			set.all = true
		case matchesLiteral:
			literals = append(literals, sel.pattern())
		default:
			set.patterns = append(set.patterns, sel)
		}
	}
	slices.Sort(keys)
	// Keys have no control characters, so the joint is unambiguous. That of one key is the key itself.
	set.key = strings.Join(keys, "\x00")
	if len(literals) > fewLiterals {
		set.literals = make(map[string]struct{}, len(literals))
		for _, literal := range literals {
			set.literals[literal] = struct{}{}
		}
	}
}

// Match reports whether any of the selectors matches the topic.
func (set *Set) Match(topic string) bool {
	switch {
	case set == nil:
		return false
	case set.all || set.matchLiteral(topic):
		return true
	case len(set.patterns) == 0:
		return false
	}
	sub := subject{topic: topic}
	for _, sel := range set.patterns {
		if set.space.match(sel, &sub) {
			return true
		}
	}
	return false
}

func (set *Set) matchLiteral(topic string) bool {
	if set.literals != nil {
		_, ok := set.literals[topic]
		return ok
	}
	for _, sel := range set.selectors {
		if sel.kind == matchesLiteral && sel.pattern() == topic {
			return true
		}
	}
	return false
}

// MatchAny reports whether any of the topics is matched by any of the selectors.
func (set *Set) MatchAny(topics []string) bool {
	return slices.ContainsFunc(topics, set.Match)
}

// MatchAll reports whether there are topics and each of them is matched by some selector.
func (set *Set) MatchAll(topics []string) bool {
	return len(topics) > 0 && !slices.ContainsFunc(topics, func(topic string) bool { return !set.Match(topic) })
}

// Selectors returns the selectors in the order in which their matchers first occurred. The slice is the
// set's own and must not be changed.
func (set *Set) Selectors() []*Selector {
	if set == nil {
		return nil
	}
	return set.selectors
}

// Len returns the number of selectors.
func (set *Set) Len() int { return len(set.Selectors()) }

// Key identifies the set of matchers, whatever their order: two sets have the same key if and only if
// they have the same matchers. That of a set without selectors is empty.
func (set *Set) Key() string {
	if set == nil {
		return ""
	}
	return set.key
}
