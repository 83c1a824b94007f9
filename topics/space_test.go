package topics

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"hubd/mercure"
)

// subscriptionEvents is the matcher that "URL Pattern" gives as its example of a relative pattern.
var subscriptionEvents = mercure.Matcher{
	Type: mercure.URLPattern, Pattern: "/.well-known/mercure/subscriptions/exact/:topic/:subscriber",
}

// Section "Matcher Types": the wildcard.
func TestWildcard(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for _, typ := range []mercure.MatcherType{mercure.Exact, mercure.URLPattern, mercure.Template} {
		sel := mustCompile(t, s, mercure.Matcher{Type: typ, Pattern: "*"})
		for _, topic := range []string{"https://example.com/books/1", "*", "no URL", "https://[", "", "mailto:a@b"} {
			if !s.Match(sel, topic) {
				t.Errorf("the %s matcher \"*\" does not match %q", typ, topic)
			}
		}
	}
}

// Section "Exact Matching".
func TestExact(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for _, tc := range []struct {
		name, pattern, topic string
		want                 bool
	}{
		{"same", "https://example.com/books/1", "https://example.com/books/1", true},
		{"no URL", "books 1", "books 1", true},
		{"case-sensitive, in the host as well", "https://example.com/", "https://EXAMPLE.com/", false},
		{"relative values are not resolved", "/books/1", "https://hub.example.com/books/1", false},
		{"nor in the topic", "https://hub.example.com/books/1", "/books/1", false},
		{"no Unicode normalisation", "caf\u00e9", "cafe\u0301", false},
		{"no IRI normalisation", "https://example.com/%7Ea", "https://example.com/~a", false},
		{"no percent-encoding", "https://example.com/é", "https://example.com/%C3%A9", false},
		{"URL pattern syntax is text", "/books/:id", "/books/1", false},
		{"template syntax is text", "/books/{id}", "/books/1", false},
		{"template syntax is text, itself", "/books/{id}", "/books/{id}", true},
		{"prefix", "/books", "/books/1", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sel := mustCompile(t, s, mercure.Matcher{Type: mercure.Exact, Pattern: tc.pattern})
			if got := s.Match(sel, tc.topic); got != tc.want {
				t.Errorf("%q matches %q: %t, want %t", tc.pattern, tc.topic, got, tc.want)
			}
		})
	}
}

// Section "Payloads": a subscription's own matcher string is matched as if it were a topic.
func TestMatchPattern(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for _, tc := range []struct {
		typ             mercure.MatcherType
		pattern, string string
		want            bool
	}{
		{mercure.URLPattern, "https://example.com/bar/:id", "https://example.com/bar/:id", true},
		{mercure.URLPattern, "https://example.com/bar/:id", "https://example.com/foo/:id", false},
		{mercure.URLPattern, "https://example.com/*", "https://example.com/bar/:id", true},
		{mercure.Exact, "https://example.com/bar/:id", "https://example.com/bar/:id", true},
		{mercure.Exact, "https://example.com/bar/:id", "https://example.com/bar/1", false},
		{mercure.Exact, "*", "https://example.com/bar/:id", true},
		{mercure.Template, "https://example.com/{+x}", "https://example.com/bar/{id}", false},
		{mercure.Template, "https://example.com/bar/{id}", "https://example.com/bar/{id}", true},
	} {
		sel := mustCompile(t, s, mercure.Matcher{Type: tc.typ, Pattern: tc.pattern})
		if got := s.Match(sel, tc.string); got != tc.want {
			t.Errorf("%s %q matches the matcher %q: %t, want %t", tc.typ, tc.pattern, tc.string, got, tc.want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	s, err := NewSpace(Options{BaseURL: testBase, MaxPattern: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		m    mercure.Matcher
		is   error
	}{
		{"empty", mercure.Matcher{}, ErrSelector},
		{"too long", mercure.Matcher{Pattern: strings.Repeat("a", 11)}, ErrSelector},
		{"control character", mercure.Matcher{Pattern: "a\nb"}, mercure.ErrText},
		{"control character in a URL pattern", mercure.Matcher{Type: mercure.URLPattern, Pattern: "/a\x00b"}, mercure.ErrText},
		{"control character in a template", mercure.Matcher{Type: mercure.Template, Pattern: "{a}\x00"}, mercure.ErrText},
		{"format character", mercure.Matcher{Pattern: "a\u200bb"}, mercure.ErrText},
		{"not UTF-8", mercure.Matcher{Pattern: "a\xff"}, mercure.ErrText},
		{"too long, not UTF-8", mercure.Matcher{Pattern: strings.Repeat("\x80", 100)}, ErrSelector},
		{"unknown type", mercure.Matcher{Type: 99, Pattern: "a"}, ErrSelector},
		{"unknown type of a wildcard", mercure.Matcher{Type: 99, Pattern: "*"}, ErrSelector},
		{"malformed", mercure.Matcher{Type: mercure.URLPattern, Pattern: "/("}, errURLPattern},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sel, err := s.Compile(tc.m)
			if sel != nil || !errors.Is(err, ErrSelector) || !errors.Is(err, tc.is) {
				t.Errorf("Compile(%q) = %v, %v; want %v", tc.m.Pattern, sel, err, tc.is)
			}
		})
	}
	if _, err := s.Compile(mercure.Matcher{Pattern: strings.Repeat("a", 10)}); err != nil {
		t.Errorf("the longest pattern: %v", err)
	}
	// A message quotes a part of a long pattern, cut between characters.
	_, err = s.Compile(mercure.Matcher{Pattern: strings.Repeat("é", 1000)})
	if message := err.Error(); len(message) > 300 || !strings.Contains(message, "é…") || strings.Contains(message, `\x`) {
		t.Errorf("message: %s", message)
	}
}

func TestSelectorKey(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	keys := map[string]mercure.Matcher{}
	for _, typ := range []mercure.MatcherType{mercure.Exact, mercure.URLPattern, mercure.Template} {
		for _, pattern := range []string{"*", "a", "e", "u", "t", "ea", "/a", "/:a", "/:b", "/{a}"} {
			m := mercure.Matcher{Type: typ, Pattern: pattern}
			sel := mustCompile(t, s, m)
			if got := sel.Matcher(); got != m {
				t.Errorf("the matcher of %v is %v", m, got)
			}
			if other, ok := keys[sel.Key()]; ok {
				t.Errorf("%v and %v have the same key", m, other)
			}
			keys[sel.Key()] = m
			if again := mustCompile(t, s, m); again.Key() != sel.Key() {
				t.Errorf("%v has the keys %q and %q", m, sel.Key(), again.Key())
			}
		}
	}
}

// Selectors of equal patterns are one object while it is in use, and leave nothing behind.
func TestCompileInterns(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for i := range 100 {
		m := mercure.Matcher{Type: mercure.URLPattern, Pattern: fmt.Sprintf("/books/%d/:id", i)}
		sel := mustCompile(t, s, m)
		if mustCompile(t, s, m) != sel {
			t.Error("a pattern in use is compiled again")
		}
		runtime.KeepAlive(sel)
	}
	for range 1000 {
		// The collector runs cleanups at its own time.
		runtime.GC()
		s.interned.mu.Lock()
		left := s.interned.selectors
		s.interned.mu.Unlock()
		if left == nil {
			return
		}
	}
	t.Error("selectors that no one uses are still held")
}

// A cleanup that comes late must not remove the selector that took the place of its own.
func TestInternedForget(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	m := mercure.Matcher{Type: mercure.URLPattern, Pattern: "/books/:id"}
	sel := mustCompile(t, s, m)
	s.interned.forget(m)
	if mustCompile(t, s, m) != sel {
		t.Error("a selector in use was forgotten")
	}
	if first := s.interned.add(&Selector{key: sel.key, typ: sel.typ}); first != sel {
		t.Error("a second selector took the place of one in use")
	}
	runtime.KeepAlive(sel)
}

// A Space is used by all goroutines, also while it is closed.
func TestSpaceConcurrently(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 300 {
				sel := mustCompile(t, s, mercure.Matcher{Type: mercure.URLPattern, Pattern: fmt.Sprintf("/books/:id(\\d+)/%d", j%5)})
				for _, topic := range []string{fmt.Sprintf("/books/%d/%d", i, j%5), fmt.Sprintf("/é/../books/%d/%d", i, j%5)} {
					if !s.Match(sel, topic) {
						t.Errorf("%q does not match %q", sel.pattern(), topic)
					}
				}
				if i == 0 && j == 150 {
					s.Close()
				}
				_ = s.CacheStats()
			}
		})
	}
	wg.Wait()
	s.Close()
}

// Whatever the pattern and the topic, nothing panics, and what does not compile is said to be invalid.
func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"", "*", "/books/:id", "/books/{id}", "/:a(", "/*a/../..", "{a,b*}{?c}", "\xff", "https://[::1]/", "/(\\d+)"} {
		for typ := range uint8(4) {
			f.Add(typ, pattern, "/books/1")
		}
	}
	for _, m := range hostile(maxDearPattern) {
		f.Add(uint8(m.Type), m.Pattern, "/"+strings.Repeat("a", 1000))
	}
	s := newTestSpace(f)
	f.Fuzz(func(t *testing.T, typ uint8, pattern, topic string) {
		m := mercure.Matcher{Type: mercure.MatcherType(typ), Pattern: pattern}
		sel, err := s.Compile(m)
		if err != nil {
			if sel != nil || !errors.Is(err, ErrSelector) || len(err.Error()) > 1000 {
				t.Errorf("Compile(%q) = %v, %v", pattern, sel, err)
			}
			return
		}
		if typ > uint8(mercure.Template) || pattern == "" || len(pattern) > defaultMaxPattern || mercure.CheckText(pattern) != nil {
			t.Errorf("Compile(%v) takes a matcher that is not valid", m)
		}
		if sel.Matcher() != m {
			t.Errorf("the matcher of %v is %v", m, sel.Matcher())
		}
		_ = s.Reserved(topic)
		if m.Type != mercure.URLPattern && !s.Match(sel, pattern) {
			t.Errorf("%v does not match itself", m)
		}
		_ = s.Match(sel, topic)
	})
}

// A pattern in use costs no more than finding it: ten thousand subscribers with one pattern compile it once.
func TestCompileAgain(t *testing.T) {
	s := newTestSpace(t)
	for _, m := range []mercure.Matcher{urls("/books/:id(\\d+)"), urls("/books/:id"), templates("/books/{id}")} {
		sel := mustCompile(t, s, m)
		if n := testing.AllocsPerRun(100, func() { mustCompile(t, s, m) }); n != 0 {
			t.Errorf("compiling %v again makes %v allocations, want 0", m, n)
		}
		runtime.KeepAlive(sel)
	}
}
