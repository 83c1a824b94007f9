package topics

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hubd/mercure"
)

func TestIndex(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	x := NewIndex[string](s)
	add := func(m mercure.Matcher) *Node[string] {
		n, created := x.Add(mustCompile(t, s, m))
		if !created {
			t.Fatalf("%v is in the index already", m)
		}
		n.Value = m.Type.String() + " " + m.Pattern
		return n
	}
	lookup := func(topic string, want ...string) {
		t.Helper()
		var got []string
		for _, n := range x.Lookup(topic, nil) {
			got = append(got, n.Value)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("Lookup(%q) = %q, want %q", topic, got, want)
		}
	}

	lookup("/books/1")
	var nodes []*Node[string]
	for _, m := range []mercure.Matcher{
		exact("/books/1"), templates("/books/1"), urls("/books/1"), urls("/books/:id"), templates("/books/{id}"), urls("/books/:id(\\d+)"),
		exact("*"), urls("*"), templates("*"), templates("{"), templates("/books/{id}{?page}"), urls("*://*/*"),
	} {
		nodes = append(nodes, add(m))
	}
	all := []string{"exact *", "urlpattern *", "template *"}
	lookup("/books/1", append(slices.Clone(all), "exact /books/1", "template /books/1", "urlpattern /books/1", "urlpattern /books/:id",
		"template /books/{id}", "urlpattern /books/:id(\\d+)", "template /books/{id}{?page}", "urlpattern *://*/*")...)
	lookup("https://hub.example.com/books/1", append(slices.Clone(all), "urlpattern /books/1", "urlpattern /books/:id", "urlpattern /books/:id(\\d+)", "urlpattern *://*/*")...)
	lookup("{", append(slices.Clone(all), "template {", "urlpattern *://*/*")...)
	lookup("/books/{id}", append(slices.Clone(all), "template /books/{id}", "urlpattern /books/:id", "urlpattern *://*/*")...)
	lookup("https://[", all...)

	if x.Len() != len(nodes) {
		t.Errorf("Len is %d, want %d", x.Len(), len(nodes))
	}
	for i, n := range nodes {
		x.Remove(n)
		if x.Len() != len(nodes)-i-1 {
			t.Errorf("Len is %d after %d removals", x.Len(), i+1)
		}
		if slices.Contains(x.Lookup("/books/1", nil), n) {
			t.Errorf("%q is found after its removal", n.Value)
		}
	}
	lookup("/books/1")
}

// Identical matchers are one node, however often they are added.
func TestIndexAdd(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	x := NewIndex[int](s)
	for _, m := range []mercure.Matcher{exact("a"), templates("a"), urls("a"), exact("*"), urls("*"), templates("*"), urls("/:a"), urls("/:b"), templates("{a}")} {
		sel, err := s.compile(m) // Not shared, as if the first had been out of use in between.
		if err != nil {
			t.Fatal(err)
		}
		before := x.Generation()
		n, created := x.Add(sel)
		if !created || n.Selector() != sel || n.Value != 0 || x.Generation() == before {
			t.Errorf("%v: created is %t, value %d, generation %d after %d", m, created, n.Value, x.Generation(), before)
		}
		n.Value = 1
		before = x.Generation()
		if again, created := x.Add(mustCompile(t, s, m)); again != n || created || again.Value != 1 || x.Generation() != before {
			t.Errorf("%v is added twice", m)
		}
	}
	if x.Len() != 9 {
		t.Errorf("Len is %d, want 9", x.Len())
	}
}

func TestIndexRemove(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	x, other := NewIndex[int](s), NewIndex[int](s)
	sel := mustCompile(t, s, urls("/books/:id"))
	n, _ := x.Add(sel)
	foreign, _ := other.Add(sel)

	before := x.Generation()
	x.Remove(nil)
	x.Remove(foreign)
	if x.Len() != 1 || other.Len() != 1 || x.Generation() != before {
		t.Error("a node that is not in the index was removed")
	}
	x.Remove(n)
	if x.Len() != 0 || x.Generation() == before {
		t.Error("the node was not removed")
	}
	after := x.Generation()
	again, created := x.Add(sel)
	x.Remove(n)
	if !created || again == n || x.Len() != 1 || x.Generation() == after {
		t.Error("a node removed before took another one with it")
	}
}

// The memory of a crowd is given back when it has left (invariant I5 of the design).
func TestIndexReset(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	x := NewIndex[int](s)
	var nodes []*Node[int]
	for i := range 100 {
		for _, m := range []mercure.Matcher{exact(fmt.Sprint(i)), templates(fmt.Sprint(i)), urls(fmt.Sprintf("/%d/:x", i)), templates(fmt.Sprintf("{a}%d", i))} {
			n, _ := x.Add(mustCompile(t, s, m))
			nodes = append(nodes, n)
		}
	}
	x.Lookup("/1/x", nil)
	for _, n := range nodes {
		x.Remove(n)
	}
	if x.candidates != nil || x.all != nil || x.urls.lists != nil || x.templates.lists != nil || len(x.patterns)+len(x.exact)+len(x.literals) != 0 {
		t.Error("an empty index keeps memory")
	}
}

// Lookup appends, and keeps nothing of what it was given.
func TestLookupAppends(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	x := NewIndex[int](s)
	n, _ := x.Add(mustCompile(t, s, urls("/books/:id")))
	first := &Node[int]{}
	if got := x.Lookup("/books/1", []*Node[int]{first}); !slices.Equal(got, []*Node[int]{first, n}) {
		t.Errorf("Lookup = %v, want the node appended", got)
	}
	if x.subject != (subject{}) || len(x.candidates) != 0 {
		t.Error("the index holds on to the topic or to nodes")
	}
}

// The topic is not parsed where no URL pattern can match it. Allocations show it: the parser makes many.
func TestLookupDoesNotParse(t *testing.T) {
	s := newTestSpace(t)
	x := NewIndex[int](s)
	x.Add(mustCompile(t, s, templates("https://example.com/{id}")))
	x.Add(mustCompile(t, s, exact("https://example.com/é")))
	dst := make([]*Node[int], 0, 10)
	if n := testing.AllocsPerRun(100, func() { dst = x.Lookup("https://example.com/é", dst[:0]) }); n != 0 {
		t.Errorf("a lookup without URL patterns makes %v allocations, want 0", n)
	}
}

// checkIndex holds Lookup against asking each matcher alone, twice, so that the second answers may come
// from the cache.
func checkIndex(t *testing.T, x *Index[int], in map[mercure.Matcher]*Node[int], topic string, naive func(mercure.Matcher, string) bool) {
	t.Helper()
	var want []mercure.Matcher
	for m := range in {
		if naive(m, topic) {
			want = append(want, m)
		}
	}
	compare := func(a, b mercure.Matcher) int {
		return cmp.Or(strings.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Type, b.Type))
	}
	slices.SortFunc(want, compare)
	for range 2 {
		var got []mercure.Matcher
		for _, n := range x.Lookup(topic, nil) {
			got = append(got, n.Selector().Matcher())
		}
		slices.SortFunc(got, compare)
		if !slices.Equal(got, want) {
			t.Fatalf("Lookup(%q) = %v, want %v", topic, got, want)
		}
	}
}

// FuzzIndex takes a script of matchers, one a line: their type by its letter and the pattern, after a "-"
// if the matcher is to be removed. The topics are the rest of the input.
func FuzzIndex(f *testing.F) {
	script := "e/books/1\nu/books/:id\nt/books/{id}\nu/books/:id(\\d+)\ne*\nuhttps://*.example.com/:a/*\n-e/books/1\nthttps://example.com/{a}/x{?b}\nu/books/:id\nu*://*/*\n-t/books/{id}\nt{a}\nt{\nu/:a/x\nu/:a/y"
	for _, topics := range []string{"/books/1", "https://a.example.com/b/c\nhttps://example.com/1/x", "x\n\n{", "https://[\nurn:a\n/é", "/a/x\n/b/y"} {
		f.Add(script, topics)
	}
	s := newTestSpace(f)
	f.Fuzz(func(t *testing.T, script, topics string) {
		if len(script) > 2000 || len(topics) > 500 {
			return
		}
		x := NewIndex[int](s)
		in := map[mercure.Matcher]*Node[int]{}
		for line := range strings.SplitSeq(script, "\n") {
			line, remove := strings.CutPrefix(line, "-")
			if line == "" {
				continue
			}
			m := mercure.Matcher{Type: mercure.MatcherType(strings.IndexByte("eut", line[0])), Pattern: line[1:]}
			sel, err := s.Compile(m)
			if err != nil {
				continue
			}
			if prepared, _ := preparePattern(m.Pattern); m.Type == mercure.URLPattern && prepared != m.Pattern {
				continue // A group name that the library does not know: see TestGroupNames.
			}
			if remove {
				x.Remove(in[m])
				delete(in, m)
				continue
			}
			n, created := x.Add(sel)
			if _, ok := in[m]; created == ok {
				t.Fatalf("Add(%v) created a node: %t, though it was there: %t", m, created, ok)
			}
			in[m] = n
		}
		if x.Len() != len(in) {
			t.Fatalf("Len is %d, want %d", x.Len(), len(in))
		}
		naive := func(m mercure.Matcher, topic string) bool {
			match, _ := naiveMatch(m, topic)
			return match
		}
		for topic := range strings.SplitSeq(topics, "\n") {
			if mercure.CheckText(topic) == nil {
				checkIndex(t, x, in, topic, naive)
			}
		}
	})
}

// A crowd of matchers of all kinds comes and goes, and every lookup finds what naive matching finds.
func TestIndexAgainstNaiveMatching(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	matcher := func() mercure.Matcher {
		origin := pick("https://example.com", "https://a.example.com", "", "", "urn:")
		switch rng.IntN(4) {
		case 0:
			return exact(origin + pick("/a", "/b", "/a/b", "/é"))
		case 1:
			return templates(origin + pick("/a", "/{x}", "/a/{x}") + pick("", "/b", "{?q}", "/{y}/c"))
		default:
			origin := pick("https://example.com", "https://*.example.com", "", "*://*", "http{s}?://:h.example.com", "https://example.com:*")
			return urls(origin + pick("/a", "/:x", "/a/:x", "/*", "/:x(a|b)", "/{a}?") + pick("", "/b", "/*", "/:y/c", "?q", "#f"))
		}
	}
	topic := func() string {
		origin := pick("https://example.com", "https://a.example.com", "https://example.com:8443", "", "urn:", "http://b.example.com")
		return origin + pick("/a", "/b", "/é", "/c", "/a/../a", "") + pick("", "/b", "/c/c", "/{y}/c", "/") + pick("", "", "?q", "#f", "?q=1")
	}
	// Patterns are compiled once for all topics, and still by the library alone.
	type compiled interface{ Test(topic, base string) bool }
	libraries := map[string]compiled{}
	naive := func(m mercure.Matcher, topic string) bool {
		if m.Type != mercure.URLPattern {
			match, _ := naiveMatch(m, topic)
			return match
		}
		if libraries[m.Pattern] == nil {
			libraries[m.Pattern] = naiveURLPattern(m.Pattern)
		}
		return libraries[m.Pattern].Test(topic, testBase)
	}

	s := newTestSpace(t)
	x := NewIndex[int](s)
	in := map[mercure.Matcher]*Node[int]{}
	for range 30 {
		for range 20 {
			m := matcher()
			if sel, err := s.Compile(m); err == nil {
				in[m], _ = x.Add(sel)
			}
		}
		for m, n := range in {
			if rng.IntN(4) == 0 {
				x.Remove(n)
				delete(in, m)
			}
		}
		for range 8 {
			checkIndex(t, x, in, topic(), naive)
		}
	}
}
