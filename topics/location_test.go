package topics

import (
	"strings"
	"sync"
	"testing"

	"github.com/nlnwa/whatwg-url/url"

	"hubd/mercure"
)

var resolveSeeds = []string{
	"", "/", "//", "/a", "/a/b?q#f", "//host/a", "/\\host", "a", "a/b", "a:b", "a/b:c", "./a", "../a", "/a/../b", "/a/./b",
	"/a/%2e%2E/b", "/a/.%2e", "/a/%2e", "/..a/...", "/.well-known/mercure/subscriptions/exact/https%3A%2F%2Fexample.com/urn%3Auuid",
	"https://example.com", "https://example.com/", "https://example.com/a?b#c", "https://example.com:443/", "https://example.com:80/",
	"http://example.com:80/", "http://example.com:8080/a", "https://example.com:08080/", "https://example.com:/a", "https://EXAMPLE.com/",
	"https://user:pw@example.com/", "https://1.2.3.4/a", "https://a.0x1/", "https://xn--caf-dma.example/", "https://café.example/é",
	"https://[::1]/", "https://xn--a/", "https://a..b/", "https://a-.b/", "https://a--b.c/", "https://-a/", "https://a_b/", "https:example.com", "https:/x", "https:///x",
	"https://example.com/a b", "https://example.com/a\\b", "https://example.com/%zz", "https://example.com/{a}", "https://example.com/a'?'#'",
	"https://example.com/?a`b#a`b", "https://example.com/^|", "urn:uuid:1-2", "urn:a?b#c", "urn:", "urn:/a/../b", "urn: a", "mailto:a@b",
	"ws://a/b", "wss://a/b", "ftp://a/b", "file:///c:/a", "file:a", "foo://bar/baz/../q", "foo://bar\\baz", "HTTP://a/", "ht\ttp://a/",
	" https://a/b ", "?q", "#f", "a?b#c", "*", "1:2", "-a", "https://a/b#c#d", "https://a/b?c?d", "https://a/b?c#d?e", "a\\b", "https://a.b./c",
}

func FuzzResolve(f *testing.F) {
	for _, topic := range resolveSeeds {
		for base := range uint8(4) {
			f.Add(topic, base)
		}
	}
	bases := []string{testBase, "http://127.0.0.1:3000/.well-known/mercure", "https://u:p@h/", "https://h/a/b/"}
	var resolvers []*resolver
	for _, base := range bases {
		u, err := url.Parse(base)
		if err != nil {
			f.Fatal(err)
		}
		resolvers = append(resolvers, newResolver(u))
	}
	f.Fuzz(func(t *testing.T, topic string, base uint8) {
		if len(topic) > maxDearTopic {
			return
		}
		base %= uint8(len(bases))
		var short, long location
		if !resolvers[base].split(topic, &short) {
			_ = resolvers[base].resolve(topic, &short)
			return
		}
		u, err := url.ParseRef(bases[base], topic)
		if err != nil {
			t.Fatalf("split(%q) took %q, which is no URL reference: %v", topic, short, err)
		}
		if long.setURL(u); short != long {
			t.Fatalf("split(%q) = %q, want %q", topic, short, long)
		}
	})
}

func newTestResolver(t testing.TB) *resolver {
	t.Helper()
	u, err := url.Parse(testBase)
	if err != nil {
		t.Fatal(err)
	}
	return newResolver(u)
}

// Topics as applications use them must not take the URL parser.
func TestPlainTopics(t *testing.T) {
	t.Parallel()
	r := newTestResolver(t)
	for topic, want := range map[string]resolution{
		"https://example.com/books/1":               resolved,
		"https://example.com/":                      resolved,
		"http://localhost:3000/books/1?page=2#top":  resolved,
		"https://a.b-c.example.com/caf%C3%A9/%20":   resolved,
		"https://example.com/.well-known/..foo/...": resolved,
		"/books/1": resolved,
		"/.well-known/mercure/subscriptions/exact/https%3A%2F%2Fa/b": resolved,
		"books/1": resolved,
		"urn:uuid:5f1b6b1e-0e0c-4f9a-9c3f-0d9b6f6a8f00":         resolved,
		"https://example.com/" + strings.Repeat("books/", 1000): resolved,
		"https://example.com":                                   odd,
		"https://EXAMPLE.com/":                                  odd,
		"https://example.com:443/":                              odd,
		"https://example.com/../a":                              odd,
		"https://example.com/%2E%2e/a":                          odd,
		"https://example.com/é":                                 odd,
		"https://example.com/a b":                               odd,
		"https://example.com/a\\b":                              odd,
		"https://user@example.com/":                             odd,
		"https://127.0.0.1/":                                    odd,
		"//example.com/a":                                       odd,
		"file:///a":                                             odd,
		"":                                                      odd,
		"https://user@example.com/" + strings.Repeat("x", maxDearTopic): tooLong,
	} {
		var loc location
		if got := r.glance(topic, &loc); got != want {
			t.Errorf("glance(%.60q) = %d, want %d", topic, got, want)
		}
	}
}

// A long topic takes neither the parser nor the library, however it would match.
func TestLongTopics(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	long := strings.Repeat("x", maxDearTopic)
	for _, tc := range []struct {
		pattern, topic string
		want           bool
	}{
		{"/:a", "/" + long, true},
		{"/:a", "/é" + long, false},
		{"/:a(x+)", "/" + long[:100], true},
		{"/:a(x+)", "/" + long, false},
	} {
		sel := mustCompile(t, s, mercure.Matcher{Type: mercure.URLPattern, Pattern: tc.pattern})
		if got := s.Match(sel, tc.topic); got != tc.want {
			t.Errorf("%q matches a topic of %d bytes: %t, want %t", tc.pattern, len(tc.topic), got, tc.want)
		}
	}
}

// Relative references take what they lack from the hub, user name and port included.
func TestResolveRelative(t *testing.T) {
	t.Parallel()
	u, err := url.Parse("https://me:pw@hub.example.com:8443/a/b/mercure")
	if err != nil {
		t.Fatal(err)
	}
	r := newResolver(u)
	for topic, path := range map[string]string{"/x": "/x", "x/y": "/a/b/x/y", "../x": "/a/x", "./é": "/a/b/%C3%A9"} {
		var loc location
		if got := r.resolve(topic, &loc); got != resolved {
			t.Fatalf("resolve(%q) = %d", topic, got)
		}
		want := location{
			components: [componentCount]string{"https", "me", "pw", "hub.example.com", "8443", path, "", ""},
			locator:    "https://hub.example.com:8443" + path,
		}
		if loc != want {
			t.Errorf("resolve(%q) = %q, want %q", topic, loc, want)
		}
	}
}

// The parser reads the hub's URL from all goroutines; the race detector would tell if it wrote to it.
func TestResolveConcurrently(t *testing.T) {
	t.Parallel()
	r := newTestResolver(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var loc location
			if got := r.resolve("/é", &loc); got != resolved {
				t.Errorf("resolve = %d, want resolved", got)
			}
		})
	}
	wg.Wait()
}
