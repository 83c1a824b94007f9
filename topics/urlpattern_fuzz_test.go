package topics

import (
	"errors"
	"strings"
	"testing"

	"hubd/mercure"
)

func FuzzURLPattern(f *testing.F) {
	patterns := []string{
		"https://example.com/books/:id", "/books/:id", "/:a-:b.json", "/a*b*c", "/*/x/*", "*", "/*", "https://*.example.com/*", "https://:sub.example.com/:x",
		"http{s}?://example.com/*", "/books{/:id}?", "/books/:id?", "/books/:id+", "/books/:id*", "/books/:id(\\d+)", "/(a|b)/c", "/a/**", "*://*/*",
		"https://example.com:*/x", "https://example.com:8080/:x", "https://u:p@example.com/", "?q=:x", "#a", "/a?b=*#c", ":x", "../:x", "/a\\:b", "urn\\:uuid\\:*",
		"data\\:foo*", "/caf\u00e9/:caf\u00e9", "/:a{b}", "{/:a}b", "/:a:b", "https://[\\:\\:1]/:a", "/*a/../..", "/:_id", "/:$x", "/:a$b", "https://*/:a*", "file:///a/:b",
		"/x:aXX:bXX:cX", "/:a/../b", "/%3Aa/:b", "https://example.com", "https://example.com/(.*)/:a", "ws://*/x", ":p://h/:a", "*p://h/:a/b",
	}
	for _, pattern := range patterns {
		for _, topic := range []string{
			"https://example.com/books/1", "/books/1", "/books", "https://hub.example.com/1-2-3.json", "/aXbYc", "/a/x/b", "urn:uuid:1/2", "http://a.example.com:8080/x?q=1#a",
			pattern, "https://u:p@example.com/", "/xaXXbXXcX", "file:///a/b/c", "foo:bar",
		} {
			f.Add(pattern, topic)
		}
	}
	s := newTestSpace(f)
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		if pattern == "" || mercure.CheckText(pattern) != nil || mercure.CheckText(topic) != nil || len(pattern) > 200 || len(topic) > 200 {
			return
		}
		m := mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern}
		sel, err := s.Compile(m)
		want, ok := naiveMatch(m, topic)
		if err != nil {
			// Patterns may be rejected for their size, but nothing that is merely unusual.
			if ok && len(pattern) < 40 {
				t.Fatalf("Compile(%q): %v", pattern, err)
			}
			return
		}
		if prepared, _ := preparePattern(pattern); prepared != pattern {
			return // A group name that the library does not know: see TestGroupNames.
		}
		if !ok {
			t.Fatalf("Compile(%q) takes what the library rejects", pattern)
		}
		for range 2 { // The second answer may come from the cache.
			if got := s.Match(sel, topic); got != want {
				t.Fatalf("Match(%q, %q) = %t, the library says %t", pattern, topic, got, want)
			}
		}
		if want && sel.kind == matchesURL {
			checkAnchor(t, s, sel, topic)
		}
	})
}

// checkAnchor checks that the index would find the selector for a topic that it matches.
func checkAnchor(t *testing.T, s *Space, sel *Selector, topic string) {
	t.Helper()
	x := NewIndex[int](s)
	x.Add(sel)
	if len(x.Lookup(topic, nil)) != 1 {
		t.Fatalf("%q matches %q, which has not its anchor %q", sel.pattern(), topic, sel.anchor())
	}
}

func FuzzPlainURLPattern(f *testing.F) {
	for _, pattern := range []string{
		"https://example.com/books/:id", "/books/:id", "/a*b*c", "/*/x/*", "*", "/*", "https://*.example.com/*", "http://example.com:8080/:a_1.json", "/:a/:a", "/:a/:b",
		"//a/b", "/a/../b", "/:a/../b", "/.well-known/mercure/*", "/:a./b", "/*../b", "/a:1", "/:a$b", "/a@b", "https://a@b/c", "https://example.com:443/", "/%3A/:b",
		"https://*/a", "https://*.a/b", "/a//b", "/:a\u00e9", "/[a]", "/a|b", "/'", "/a;b=c,d&e!f~g", "/:aB9/*", "/a%", "/:a-:b", "/**", "/:a*", "https://*.*.a/", "https://*.1/", "/.*", "/:a/.*", "/..:a", "/*.", "/*/.", strings.Repeat("/*", maxGroups+1),
	} {
		f.Add(pattern)
	}
	s := newTestSpace(f)
	f.Fuzz(func(t *testing.T, pattern string) {
		if pattern == "" || mercure.CheckText(pattern) != nil {
			return
		}
		plain := plainURLPattern(pattern, s.hub)
		if plain == nil {
			return
		}
		want, err := newURLPattern(pattern, testBase)
		if errors.Is(err, errURLPatternSize) {
			return // A bound of the library's way; this one needs none.
		}
		if err != nil {
			t.Fatalf("plainURLPattern(%q) = %q, but it is not valid: %v", pattern, plain.text, err)
		}
		if *plain != *want {
			t.Fatalf("plainURLPattern(%q) = %+v, want %+v", pattern, *plain, *want)
		}
	})
}
