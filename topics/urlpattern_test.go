package topics

import (
	"errors"
	"strings"
	"testing"

	"hubd/mercure"
)

// matchURLPattern compiles the pattern at a hub and matches the topic.
func matchURLPattern(t *testing.T, base, pattern, topic string) bool {
	t.Helper()
	s, err := NewSpace(Options{BaseURL: base})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Match(mustCompile(t, s, mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern}), topic)
}

// Section "URL Pattern".
func TestURLPatternSpec(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, pattern, topic string
		want                 bool
	}{
		{"absolute pattern, absolute topic", "https://example.com/books/:id", "https://example.com/books/1", true},
		{"absolute pattern, another path", "https://example.com/books/:id", "https://example.com/films/1", false},
		{"absolute pattern, another host", "https://example.com/books/:id", "https://example.org/books/1", false},
		{"absolute pattern, another scheme", "https://example.com/books/:id", "http://example.com/books/1", false},
		{"absolute pattern at the hub, relative topic", "https://hub.example.com/books/:id", "/books/1", true},
		{"absolute pattern elsewhere, relative topic", "https://example.com/books/:id", "/books/1", false},
		{"relative pattern, relative topic", "/books/:id", "/books/1", true},
		{"relative pattern, absolute topic at the hub", "/books/:id", "https://hub.example.com/books/1", true},
		{"relative pattern, absolute topic elsewhere", "/books/:id", "https://example.com/books/1", false},
		{"pattern relative to the directory", "books/:id", "/.well-known/books/1", true},
		{"topic relative to the directory", "/.well-known/books/:id", "books/1", true},
		{
			"subscription event", "/.well-known/mercure/subscriptions/exact/:topic/:subscriber",
			"/.well-known/mercure/subscriptions/exact/https%3A%2F%2Fexample.com%2Fbooks%2F1/urn%3Auuid%3A1", true,
		},
		{"path is case-sensitive", "https://example.com/Books/:id", "https://example.com/books/1", false},
		{"query is case-sensitive", "https://example.com/books\\?Q=1", "https://example.com/books?q=1", false},
		{"fragment is case-sensitive", "https://example.com/books#A", "https://example.com/books#a", false},
		{"host of the topic is not", "https://example.com/books/:id", "https://EXAMPLE.com/books/1", true},
		{"host of the pattern is not", "https://EXAMPLE.com/books/:id", "https://example.com/books/1", true},
		{"scheme is not", "HTTPS://example.com/books/:id", "hTTps://example.com/books/1", true},
		{"topic that is no URL reference", "https://*/*", "https://[/", false},
		{"topic that is no URL reference, library", "http{s}?://*/*", "https://[/", false},
		{"topic that is no URL reference, everything", "*", "https://[/", true}, // The wildcard is no URL pattern.
		{"any scheme", "*://*/*", "ftp://example.com/a", true},
		{"no regular expression in the host", "https://*.example.com/:x", "https://a.b.example.com/1", true},
		{"name in the host ends at a dot", "https://:sub.example.com/", "https://a.b.example.com/", false},
		{"name is not empty", "/books/:id", "/books/", false},
		{"name ends at a slash", "/books/:id", "/books/1/2", false},
		{"asterisk may be empty", "/books/*", "/books/", true},
		{"asterisk crosses slashes", "/books/*", "/books/1/2", true},
		{"search and hash default to anything", "/books/:id", "/books/1?a=b#c", true},
		{"explicit search", "/books\\?a=:b", "/books?a=1", true},
		{"explicit search, none in the topic", "/books\\?a=:b", "/books", false},
		{"port defaults to none", "https://example.com/", "https://example.com:8443/", false},
		{"default port is none", "https://example.com:443/", "https://example.com/", true},
		{"any port", "https://example.com:*/", "https://example.com:8443/", true},
		{"dots are removed from topics", "/books/:id", "/films/../books/./1", true},
		{"non-ASCII text is percent-encoded", "/b\u00fccher/:id", "/b\u00fccher/1", true},
		{"percent-encoding is not decoded", "/books", "/%62ooks", false},
		{"backslash is a slash in http URLs", "https://example.com/books/:id", "https:\\\\example.com\\books\\1", true},
		{"opaque path, absolute pattern", "urn\\:isbn\\:*", "urn:isbn:978", true},
		{"opaque path, name crosses slashes", "urn\\:isbn\\::x", "urn:isbn:1/2", true},
		{"user of the topic is not looked at", "https://example.com/*", "https://me:secret@example.com/", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := matchURLPattern(t, testBase, tc.pattern, tc.topic); got != tc.want {
				t.Errorf("%q matches %q: %t, want %t", tc.pattern, tc.topic, got, tc.want)
			}
		})
	}
}

// Facts of the web platform's tests of URL patterns: patterns and inputs given as strings, with the hub in
// the role of the base URL.
func TestURLPatternWebPlatform(t *testing.T) {
	t.Parallel()
	const example = "https://example.com/foo"
	for _, tc := range []struct {
		base, pattern, topic string
		want                 bool
	}{
		{testBase, "http://🚲.com/", "http://🚲.com/", true},
		{testBase, "http{s}?://{*.}?example.com/:product/:endpoint", "https://sub.example.com/foo/bar", true},
		{testBase, "https://example.com?foo", "https://example.com/?foo", true},
		{testBase, "https://example.com#foo", "https://example.com/#foo", true},
		{testBase, "https://example.com:8080?foo", "https://example.com:8080/?foo", true},
		{testBase, "https://example.com/*?foo", "https://example.com/?foo", false},
		{testBase, "https://example.com/*\\?foo", "https://example.com/?foo", true},
		{testBase, "https://example.com/:name?foo", "https://example.com/bar?foo", false},
		{testBase, "https://example.com/:name\\?foo", "https://example.com/bar?foo", true},
		{testBase, "https://example.com/(bar)?foo", "https://example.com/bar?foo", false},
		{testBase, "https://example.com/(bar)\\?foo", "https://example.com/bar?foo", true},
		{testBase, "https://example.com/{bar}\\?foo", "https://example.com/bar?foo", true},
		{testBase, "https://example.com/", "https://example.com:8080/", false},
		{testBase, "data\\:foobar", "data:foobar", true},
		{testBase, "https://{sub.}?example{.com/}foo", "https://example.com/foo", true},
		{testBase, "https://(sub.)?example.com/foo", "https://example.com/foo", true},
		{testBase, "https://(sub.)?example(.com/)foo", "https://example.com/foo", false},
		{testBase, "https://(sub(?:.))?example.com/foo", "https://example.com/foo", true},
		{testBase, "file:///foo/bar", "file:///foo/bar", true},
		{testBase, "foo://bar", "foo://bad_url_browser_interop", false},
		{testBase, "https://foo\\:bar@example.com", "https://foo:bar@example.com", true},
		{testBase, "https://:user::pass@example.com", "https://foo:bar@example.com", true},
		{testBase, "https://foo{\\:}bar@example.com", "https://foo:bar@example.com", false},
		{testBase, "http://[\\:\\:1]:8080/", "http://[::1]:8080/", true},
		{testBase, "http://[:address]/", "http://[::1]/", true},
		{testBase, "http://[\\:\\:AB\\::num]/", "http://[::ab:1]/", true},
		{example, "?bar#baz", "?bar#baz", true},
		{example, "#baz", "#baz", true},
		{"https://example.com", "data{\\:}channel.html", "https://example.com/data:channel.html", true},
		{testBase, "/foo/([^\\/]+?)", "/foo/bar", true},
		{testBase, "/foo/:bar(.*)", "/foo/bar/baz", true},
		{testBase, "/foo/:bar(.*)", "/foo", false},
		{testBase, "/foo/:bar?", "/foo", true},
		{testBase, "/foo/:bar?", "/foo/", false},
		{testBase, "/foo/:bar+", "/foo/bar/baz", true},
		{testBase, "/foo/:bar+", "/foo/", false},
		{testBase, "/foo/:bar*", "/foo", true},
		{testBase, "/foo/:bar*", "/foobar", false},
		{testBase, "/foo/*?", "/foo", true},
		{testBase, "/foo/*?", "/fo", false},
		{testBase, "/foo/**", "/foo/bar/baz", true},
		{testBase, "/foo/**", "/foo", true},
		{testBase, "/foo/*+", "/foo", false},
		{testBase, "/foo{/bar}", "/foo/bar/baz", false},
		{testBase, "/foo{/bar}?", "/foo", true},
		{testBase, "/foo{/bar}+", "/foo/bar/bar", true},
		{testBase, "/foo{/bar}*", "/foo/bar/baz", false},
		{testBase, "/:café", "/foo", true},
		{testBase, "/:㐀", "/foo", true},
		{testBase, "/foo/baz", "/foo/bar/../baz", true},
		{testBase, "/foo/../bar", "/bar", true},
		{testBase, "/café", "/caf%C3%A9", true},
		{testBase, "/caf%c3%a9", "/café", false},
		{testBase, "/foo\\{", "/foo{", true},
		{testBase, "https://example.com/foo\\:", "https://example.com/foo:", true},
		{testBase, "/foo!", "/foo!", true},
		{testBase, "/{:foo}bar", "/foobar", true},
		{testBase, "/{:foo}(.*)", "/foobarbaz", true},
		{testBase, "/:foo(baz)bar", "/bazbar", true},
		{testBase, "/*{}**?", "/foobar", true},
		{testBase, "/:foo\\bar", "/bazbar", true},
		{testBase, "/:foo..", "/bar..", true},
		{testBase, "/foo/(bar(?<x>baz))", "/foo/barbaz", true},
		{testBase, "https://www.example.com/*", "https://www.example.com/path/with/x", true},
	} {
		if got := matchURLPattern(t, tc.base, tc.pattern, tc.topic); got != tc.want {
			t.Errorf("%q at %s matches %q: %t, want %t", tc.pattern, tc.base, tc.topic, got, tc.want)
		}
	}
}

func TestURLPatternInvalid(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for name, pattern := range map[string]string{
		"protocol with non-ASCII text":        "(café)://foo",
		"braces across the scheme":            "{https://}example.com/foo",
		"nested braces":                       "https://{sub{.}}example.com/foo",
		"open brace":                          "https://foo{@example.com",
		"open parenthesis":                    "/foo(",
		"empty parentheses":                   "/foo()",
		"recursion in the regular expression": "((?R)):",
		"regular expression with lookahead":   "/(?=a)",
		"two groups with one name":            "/:a/:a",
		"port out of range":                   "https://example.com:99999/",
		"text that climbs out of the path":    "https://example.com/*a/../..",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sel, err := s.Compile(mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern})
			if !errors.Is(err, ErrSelector) {
				t.Fatalf("Compile(%q) = %v, %v; want ErrSelector", pattern, sel, err)
			}
			if message := err.Error(); !strings.HasPrefix(message, "invalid topic selector \"") || len(message) > 200 || strings.Contains(message, "&") {
				t.Errorf("message not fit for a client: %s", message)
			}
		})
	}
}

// Section "URL-Pattern Denial of Service".
func TestURLPatternTooComplex(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for name, pattern := range map[string]string{
		"counted repetition": "/(a{501})",
		"nested repetition":  "/((?:a{30}){30})",
		"many expressions":   "/" + strings.Repeat("(a{100})", 6),
		"large classes":      "/" + strings.Repeat("(\\pL)", 20),
		"many groups":        "/" + strings.Repeat("(a)", 33),
		"many options":       "/" + strings.Repeat("{a}?", 33),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := s.Compile(mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern}); !errors.Is(err, errURLPatternSize) {
				t.Errorf("Compile(%q): %v, want %v", pattern, err, errURLPatternSize)
			}
		})
	}
	uuid := "/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
	if !matchURLPattern(t, testBase, uuid, "/0a0b0c0d-1111-2222-3333-444455556666") {
		t.Error("the pattern of a UUID does not match one")
	}
}

// Names are identifiers of ECMAScript (URL Pattern Standard, "is a valid name code point").
func TestGroupNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, topic string
		want           bool
	}{
		{"/:_id", "/1", true},
		{"/:_id/x", "/1/x", true},
		{"/:$id", "/1", true},
		{"/:a$b", "/1", true},
		{"/:a$b", "/1$b", true},
		{"/:_/:$/:__/:a", "/1/2/3/4", true},
		{"/([:_a]):b", "/:1", true},
		{"https://hub.example.com/\\:_id", "/:_id", true},
		{"https://hub.example.com/\\:_id", "/1", false},
	} {
		if got := matchURLPattern(t, testBase, tc.pattern, tc.topic); got != tc.want {
			t.Errorf("%q matches %q: %t, want %t", tc.pattern, tc.topic, got, tc.want)
		}
	}
	s := newTestSpace(t)
	if _, err := s.Compile(mercure.Matcher{Type: mercure.URLPattern, Pattern: "/:_id/:_id"}); !errors.Is(err, ErrSelector) {
		t.Errorf("a pattern with two groups of one name compiles: %v", err)
	}
}

// The library's object takes eight kilobytes and fifteen microseconds to match: common patterns must do
// without.
func TestURLPatternWithoutLibrary(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for pattern, want := range map[string]bool{
		"https://example.com/books/:id":       false,
		"/books/:id/*":                        false,
		"https://*.example.com/:a-:b.json":    false,
		"*://*/*":                             false,
		"https://example.com\\?q=:q#*":        false,
		"https://u\\:p@example.com:*/b\u00fc": false,
		"/books/:id?":                         true,
		"/books/:id(\\d+)":                    true,
		"http{s}?://example.com/":             true,
	} {
		sel := mustCompile(t, s, mercure.Matcher{Type: mercure.URLPattern, Pattern: pattern})
		if got := sel.url.library != nil; got != want {
			t.Errorf("%q keeps the library's object: %t, want %t", pattern, got, want)
		}
	}
}

// An anchor has the text that everything has which matches, and no other: a slash before an option may be
// missing, and so may a port.
func TestURLPatternAnchor(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for pattern, want := range map[string]string{
		"https://example.com/books/:id":      "https://example.com/books/\x01",
		"https://example.com:8443/a":         "https://example.com:8443/a",
		"https://example.com:*/a":            "https://example.com\x00/a",
		"https://example.com:(80|81)/a":      "https://example.com\x00/a",
		"https://*.example.com/*/a":          "https://\x00.example.com/\x00/a",
		"/books/:id":                         "https://hub.example.com/books/\x01",
		"/books/:id?":                        "https://hub.example.com/books\x00",
		"/books/*?":                          "https://hub.example.com/books\x00",
		"/books{/:id}?/x":                    "https://hub.example.com/books\x00",
		"/a\\(b/:id+":                        "https://hub.example.com/a(b\x00",
		"http{s}?://example.com/:a/b":        "http\x00://example.com/\x01/b",
		"https://user@example.com/a\\?q=1#h": "https://example.com/a",
		"urn\\:isbn\\:*":                     "urn://isbn:\x00",
	} {
		sel := mustCompile(t, s, urls(pattern))
		if got := sel.anchor(); got != anchorStart+want+anchorEnd {
			t.Errorf("the anchor of %q is %q, want %q", pattern, got, want)
		}
	}
}
