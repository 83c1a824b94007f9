package topics

import (
	"strings"
	"testing"
)

// Sections "Publication" and "Reserved Hub Namespace".
func TestReserved(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for _, tc := range []struct {
		name, topic string
		want        bool
	}{
		{"the hub's path", "/.well-known/mercure", true},
		{"below it", "/.well-known/mercure/subscriptions/exact/a/b", true},
		{"its directory", "/.well-known/mercure/", true},
		{"absolute, the hub's host", "https://hub.example.com/.well-known/mercure/subscriptions/x", true},
		{"absolute, another host", "https://x/.well-known/mercure", true},
		{"absolute, another scheme", "http://hub.example.com/.well-known/mercure", true},
		{"absolute, another port", "https://hub.example.com:8443/.well-known/mercure", true},
		{"absolute, with a user", "https://me@hub.example.com/.well-known/mercure/x", true},
		{"absolute, a scheme without special rules", "foo://x/.well-known/mercure/x", true},
		{"absolute, no authority", "foo:/.well-known/mercure/x", true},
		{"absolute, file", "file:///.well-known/mercure/x", true},
		{"scheme-relative", "//other/.well-known/mercure/x", true},
		{"relative to the hub's scheme", "https:mercure/x", true},
		{"relative to the hub's directory", "mercure", true},
		{"below the hub's directory", "mercure/x", true},
		{"relative with dots", "./mercure", true},
		{"up and down", "../.well-known/mercure/x", true},
		{"up too far", "../../../.well-known/mercure/x", true},
		{"query alone", "?x", true},
		{"fragment alone", "#x", true},
		{"empty", "", true},
		{"with a query", "/.well-known/mercure?x", true},
		{"with a fragment", "/.well-known/mercure#x", true},
		{"encoded letter", "/.well-known/%6Dercure/x", true},
		{"encoded letter, lower case", "/.well-known/%6dercure/x", true},
		{"encoded hyphen", "/.well%2Dknown/mercure", true},
		{"encoded dot", "/%2ewell-known/mercure/x", true},
		{"all encoded", "/%2E%77%65%6C%6C%2D%6B%6E%6F%77%6E/%6D%65%72%63%75%72%65", true},
		{"dot segments inside", "/.well-known/mercure/../mercure/x", true},
		{"dot segments before", "/a/../.well-known/mercure", true},
		{"single dot", "/.well-known/./mercure", true},
		{"encoded dot segments", "/a/%2E%2e/.well-known/mercure", true},
		{"half encoded dot segments", "/a/.%2e/.well-known/%2E/mercure", true},
		{"dots that stay below", "/.well-known/mercure/x/..", true},
		{"backslashes", "\\.well-known\\mercure\\x", true},
		{"backslashes, absolute", "https:\\\\x\\.well-known\\mercure\\x", true},
		{"backslashes, scheme-relative", "\\\\other\\.well-known\\mercure", true},
		{"backslash and dots", "/a\\..\\.well-known/mercure", true},
		{"surrounded by spaces", " /.well-known/mercure/x ", true},
		{"tab inside", "/.well-known/mer\tcure/x", true},
		{"too long to be resolved", "/é" + strings.Repeat("x", maxDearTopic), true},

		{"longer name", "/.well-known/mercure2", false},
		{"another name", "/.well-known/other", false},
		{"another case", "/.well-known/Mercure/x", false},
		{"deeper", "/a/.well-known/mercure", false},
		{"dots that leave it", "/.well-known/mercure/..", false},
		{"dots that leave it, absolute", "https://hub.example.com/.well-known/mercure/../x", false},
		{"encoded slash", "/.well-known%2Fmercure/x", false},
		{"encoded slash after it", "/.well-known/mercure%2Fx", false},
		{"encoded percent sign", "/.well-known/%256Dercure/x", false},
		{"doubled slash", "/.well-known//mercure", false},
		{"backslash where it is no slash", "foo://x/.well-known\\mercure", false},
		{"in the query", "https://example.com/?/.well-known/mercure", false},
		{"opaque path", "urn:.well-known/mercure", false},
		{"ordinary", "https://example.com/books/1", false},
		{"long but plain", "https://example.com/" + strings.Repeat("x", maxDearTopic), false},
		{"no URL reference", "https://[/.well-known/mercure", false},
		{"no URL reference, bad port", "https://x:y/.well-known/mercure", false},
		{"no URL reference, no host", "https://", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := s.Reserved(tc.topic); got != tc.want {
				t.Errorf("Reserved(%.80q) = %t, want %t", tc.topic, got, tc.want)
			}
		})
	}
}

// The namespace follows the hub's URL.
func TestReservedElsewhere(t *testing.T) {
	t.Parallel()
	s, err := NewSpace(Options{BaseURL: "https://example.com/a/%68ub"})
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]bool{"/a/hub": true, "/a/%68ub/x": true, "hub/x": true, "/.well-known/mercure": false, "/a/hubs": false} {
		if got := s.Reserved(topic); got != want {
			t.Errorf("Reserved(%q) = %t, want %t", topic, got, want)
		}
	}
}

// Whatever reaches subscribers of the namespace by a URL pattern is reserved.
func FuzzReserved(f *testing.F) {
	for _, topic := range resolveSeeds {
		f.Add(topic)
	}
	f.Add("/.well-known/%6Dercure/x")
	f.Add("\\.well-known\\mercure\\..\\mercure")
	s := newTestSpace(f)
	sel := mustCompile(f, s, subscriptionEvents)
	f.Fuzz(func(t *testing.T, topic string) {
		if s.Match(sel, topic) && !s.Reserved(topic) {
			t.Errorf("%q forges a subscription event", topic)
		}
	})
}
