package topics

import (
	"fmt"
	"strings"
	"testing"

	"hubd/mercure"
)

// A wrong answer may cost time, never correctness: two questions with the same hash must not share one.
func TestCacheCollision(t *testing.T) {
	t.Parallel()
	c := newTestSpace(t).cache
	const hash = 42
	c.put(hash, "key", "topic", true)
	c.answers.Wait()
	for _, tc := range []struct {
		key, topic   string
		match, found bool
	}{
		{"key", "topic", true, true},
		{"yek", "topic", false, false},
		{"key", "cipot", false, false},
		{"keyt", "opic", false, false},
	} {
		if match, found := c.get(hash, tc.key, tc.topic); match != tc.match || found != tc.found {
			t.Errorf("get(%q, %q) = %t, %t; want %t, %t", tc.key, tc.topic, match, found, tc.match, tc.found)
		}
	}
	if got, want := c.stats(), (CacheStats{Hits: 1, Misses: 3, CostBytes: int64(len("key"+"topic")) + answerOverhead}); got != want {
		t.Errorf("stats are %+v, want %+v", got, want)
	}
}

// The cache is asked where the answer takes the library or the URL parser, and nowhere else.
func TestCacheAsked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		m            mercure.Matcher
		topic        string
		hits, misses uint64 // of two questions
	}{
		{"wildcard", urls("*"), "/é", 0, 0},
		{"exact", exact("/é"), "/é", 0, 0},
		{"glob", urls("/books/:id"), "/books/1", 0, 0},
		{"glob, odd topic", urls("/books/:id"), "/books/é", 1, 1},
		{"glob, topic too long", urls("/books/:id"), "/é" + strings.Repeat("x", maxDearTopic), 0, 0},
		{"library", urls("/books/:id(\\d+)"), "/books/1", 1, 1},
		{"library, odd topic", urls("/books/:id(\\d+)"), "/a/../books/1", 1, 1},
		{"library, ruled out by globs", urls("https://example.com/:id(\\d+)"), "/books/1", 0, 0},
		{"template", templates("/books/{id}"), "/books/1", 0, 0},
		{"template, regular expression", templates("/books/{id}{?page}"), "/books/1", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newTestSpace(t)
			sel := mustCompile(t, s, tc.m)
			first := s.Match(sel, tc.topic)
			s.cache.answers.Wait()
			if second := s.Match(sel, tc.topic); second != first {
				t.Errorf("the second answer is %t, the first was %t", second, first)
			}
			if got := s.CacheStats(); got.Hits != tc.hits || got.Misses != tc.misses {
				t.Errorf("%d hits and %d misses, want %d and %d", got.Hits, got.Misses, tc.hits, tc.misses)
			}
		})
	}
}

// A cached answer is used: if it were wrong, Match would be.
func TestCacheUsed(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	sel := mustCompile(t, s, urls("/books/:id(\\d+)"))
	const topic = "/books/1"
	s.cache.put(s.cache.hash(sel.key, topic), sel.key, topic, false)
	s.cache.answers.Wait()
	if s.Match(sel, topic) {
		t.Error("the cached answer was not used")
	}
}

func TestCacheBound(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	sel := mustCompile(t, s, urls("/books/:id(\\d+)"))
	for i := range 4000 {
		topic := fmt.Sprintf("/books/%d", i)
		if !s.Match(sel, topic) {
			t.Fatalf("%q is not matched", topic)
		}
		if i%500 == 0 {
			s.cache.answers.Wait()
			if cost := s.CacheStats().CostBytes; cost <= 0 || cost > minCacheBytes {
				t.Fatalf("%d bytes are cached after %d topics, want no more than %d", cost, i, minCacheBytes)
			}
		}
	}
}

func TestCacheOff(t *testing.T) {
	t.Parallel()
	s, err := NewSpace(Options{BaseURL: testBase})
	if err != nil {
		t.Fatal(err)
	}
	sel := mustCompile(t, s, urls("/books/:id(\\d+)"))
	if !s.Match(sel, "/books/1") || s.CacheStats() != (CacheStats{}) {
		t.Errorf("without a cache: %+v", s.CacheStats())
	}
	s.Close()
}

func TestCacheClosed(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	sel := mustCompile(t, s, urls("/books/:id(\\d+)"))
	s.Match(sel, "/books/1")
	s.Close()
	s.Close()
	if !s.Match(sel, "/books/1") || !s.Match(sel, "/books/2") || s.Match(sel, "/books/a") {
		t.Error("wrong answers after Close")
	}
	if cost := s.CacheStats().CostBytes; cost != 0 {
		t.Errorf("%d bytes are cached after Close", cost)
	}
}
