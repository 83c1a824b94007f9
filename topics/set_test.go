package topics

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"hubd/mercure"
)

func mustSet(t testing.TB, s *Space, ms ...mercure.Matcher) *Set {
	t.Helper()
	set, err := s.NewSet(ms)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func exact(pattern string) mercure.Matcher { return mercure.Matcher{Pattern: pattern} }
func urls(pattern string) mercure.Matcher {
	return mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern}
}
func templates(pattern string) mercure.Matcher {
	return mercure.Matcher{Type: mercure.Template, Pattern: pattern}
}

func TestSetMatch(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	mixed := []mercure.Matcher{exact("a"), urls("/books/:id"), templates("urn:{x}"), urls("/films/:id(\\d+)"), templates("b")}
	many := slices.Clone(mixed)
	for i := range 2 * fewLiterals {
		many = append(many, exact(fmt.Sprint("literal ", i)))
	}
	for name, ms := range map[string][]mercure.Matcher{"few": mixed, "many": many} {
		set := mustSet(t, s, ms...)
		if (set.literals != nil) != (name == "many") {
			t.Errorf("%s: %d literals are in a map: %t", name, len(ms), set.literals != nil)
		}
		for topic, want := range map[string]bool{
			"a": true, "b": true, "c": false, "": false, "/books/1": true, "https://hub.example.com/books/1": true, "/books/1/2": false,
			"urn:1": true, "/films/1": true, "/films/a": false, "https://[": false, "/é/../books/1": true,
			"literal 15": name == "many", "literal 16": false,
		} {
			if got := set.Match(topic); got != want {
				t.Errorf("%s: Match(%q) = %t, want %t", name, topic, got, want)
			}
		}
	}
}

func TestSetWildcard(t *testing.T) {
	t.Parallel()
	set := mustSet(t, newTestSpace(t), exact("a"), templates("*"))
	if !set.Match("b") || !set.Match("") || !set.MatchAll([]string{"a", "b"}) {
		t.Error("a set with a wildcard does not match everything")
	}
}

func TestSetMatchAnyAndAll(t *testing.T) {
	t.Parallel()
	set := mustSet(t, newTestSpace(t), exact("a"), urls("/books/:id"))
	for _, tc := range []struct {
		topics   []string
		any, all bool
	}{
		{nil, false, false},
		{[]string{"a"}, true, true},
		{[]string{"a", "/books/1"}, true, true},
		{[]string{"b", "/books/1"}, true, false},
		{[]string{"/books/1", "b"}, true, false},
		{[]string{"b", "c"}, false, false},
	} {
		if got := set.MatchAny(tc.topics); got != tc.any {
			t.Errorf("MatchAny(%q) = %t, want %t", tc.topics, got, tc.any)
		}
		if got := set.MatchAll(tc.topics); got != tc.all {
			t.Errorf("MatchAll(%q) = %t, want %t", tc.topics, got, tc.all)
		}
	}
}

func TestSetWithoutSelectors(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]*Set{"nil": nil, "empty": mustSet(t, newTestSpace(t))} {
		if set.Match("a") || set.MatchAny([]string{"a"}) || set.MatchAll([]string{"a"}) || set.MatchAll(nil) {
			t.Errorf("%s: a set without selectors matches", name)
		}
		if set.Len() != 0 || len(set.Selectors()) != 0 || set.Key() != "" {
			t.Errorf("%s: Len %d, Selectors %v, Key %q; want nothing", name, set.Len(), set.Selectors(), set.Key())
		}
	}
}

func TestSetDropsDuplicates(t *testing.T) {
	t.Parallel()
	set := mustSet(t, newTestSpace(t), urls("/b"), exact("a"), exact("/b"), urls("/b"), templates("/b"), exact("a"))
	var got []mercure.Matcher
	for _, sel := range set.Selectors() {
		got = append(got, sel.Matcher())
	}
	if want := []mercure.Matcher{urls("/b"), exact("a"), exact("/b"), templates("/b")}; !slices.Equal(got, want) || set.Len() != len(want) {
		t.Errorf("the selectors are %v, want %v", got, want)
	}
}

func TestSetKey(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	same := mustSet(t, s, exact("a"), urls("/b"), templates("c")).Key()
	for name, ms := range map[string][]mercure.Matcher{
		"another order": {templates("c"), exact("a"), urls("/b")},
		"duplicates":    {urls("/b"), urls("/b"), templates("c"), exact("a"), exact("a")},
	} {
		if got := mustSet(t, s, ms...).Key(); got != same {
			t.Errorf("%s: key %q, want %q", name, got, same)
		}
	}
	keys := map[string]string{}
	for name, ms := range map[string][]mercure.Matcher{
		"all":          {exact("a"), urls("/b"), templates("c")},
		"fewer":        {exact("a"), urls("/b")},
		"other type":   {exact("a"), urls("/b"), exact("c")},
		"one":          {exact("aec")},
		"two":          {exact("a"), exact("c")},
		"one, type":    {exact("a")},
		"one, URL":     {urls("a")},
		"one, literal": {templates("a")},
		"nothing":      {},
	} {
		key := mustSet(t, s, ms...).Key()
		if other, ok := keys[key]; ok {
			t.Errorf("%s and %s have the same key %q", name, other, key)
		}
		keys[key] = name
	}
	if sel := mustCompile(t, s, exact("a")); mustSet(t, s, exact("a")).Key() != sel.Key() {
		t.Error("the key of a set of one selector is not the selector's")
	}
}

func TestSetError(t *testing.T) {
	t.Parallel()
	set, err := newTestSpace(t).NewSet([]mercure.Matcher{exact("a"), urls("/(")})
	if set != nil || !errors.Is(err, ErrSelector) {
		t.Errorf("NewSet = %v, %v; want ErrSelector", set, err)
	}
}
