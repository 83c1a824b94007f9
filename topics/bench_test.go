package topics

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/dunglas/go-urlpattern"
	"github.com/yosida95/uritemplate/v3"

	"hubd/mercure"
)

const benchSelectors = 10_000

// BenchmarkLookup looks up topics never seen before among ten thousand matchers, one of which matches.
func BenchmarkLookup(b *testing.B) {
	for _, bc := range []struct {
		name    string
		typ     mercure.MatcherType
		pattern string // with the number of the matcher
		topic   string // with the number of the matcher and that of the topic
	}{
		{"exact", mercure.Exact, "https://example.com/books/%d", "https://example.com/books/%[1]d"},
		{"template", mercure.Template, "https://example.com/users/%d/books/{id}", "https://example.com/users/%d/books/%d"},
		{"template/same-prefix", mercure.Template, "https://example.com/books/{id}/users/%d", "https://example.com/books/%[2]d/users/%[1]d"},
		{"template/regexp", mercure.Template, "https://example.com/users/%d/books/{id}{?page}", "https://example.com/users/%d/books/%d"},
		{"urlpattern", mercure.URLPattern, "https://example.com/users/%d/books/:id", "https://example.com/users/%d/books/%d"},
		{"urlpattern/relative", mercure.URLPattern, "/users/%d/books/:id", "/users/%d/books/%d"},
		{"urlpattern/hosts", mercure.URLPattern, "https://h%d.example.com/*", "https://h%d.example.com/books/%d"},
		{"urlpattern/same-prefix", mercure.URLPattern, "https://example.com/books/:id/users/%d", "https://example.com/books/%[2]d/users/%[1]d"},
		{"urlpattern/same-ends", mercure.URLPattern, "https://example.com/books/:id/users/%d/:x", "https://example.com/books/%[2]d/users/%[1]d/x"},
		{"urlpattern/regexp", mercure.URLPattern, "https://example.com/users/%d/books/:id(\\d+)", "https://example.com/users/%d/books/%d"},
		{"urlpattern/parser", mercure.URLPattern, "https://example.com/users/%d/books/:id", "https://example.com/users/%d/books/é%d"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			s := newTestSpace(b)
			x := NewIndex[int](s)
			for i := range benchSelectors {
				x.Add(mustCompile(b, s, mercure.Matcher{Type: bc.typ, Pattern: fmt.Sprintf(bc.pattern, i)}))
			}
			// Templates compile their regular expressions on first use.
			for i := range benchSelectors {
				x.Lookup(fmt.Sprintf(bc.topic, i, b.N+i), nil)
			}
			topics := make([]string, b.N)
			for i := range topics {
				topics[i] = fmt.Sprintf(bc.topic, i%benchSelectors, i)
			}
			var found []*Node[int]
			b.ReportAllocs()
			b.ResetTimer()
			for _, topic := range topics {
				if found = x.Lookup(topic, found[:0]); len(found) != 1 {
					b.Fatalf("%q is matched by %d selectors", topic, len(found))
				}
			}
		})
	}
}

// BenchmarkMatch asks one selector about one topic.
func BenchmarkMatch(b *testing.B) {
	for _, bc := range []struct {
		name    string
		matcher mercure.Matcher
		topic   string
	}{
		{"urlpattern", mercure.Matcher{Type: mercure.URLPattern, Pattern: "https://example.com/books/:id"}, "https://example.com/books/1"},
		{"template", mercure.Matcher{Type: mercure.Template, Pattern: "https://example.com/books/{id}"}, "https://example.com/books/1"},
		{"urlpattern/odd-topic", urls("https://example.com/books/:id"), "https://example.com/books/é"},
		{"urlpattern/regexp", urls("https://example.com/books/:id(\\d+)"), "https://example.com/books/1"},
		{"template/regexp", mercure.Matcher{Type: mercure.Template, Pattern: "https://example.com/books/{id}{?page}"}, "https://example.com/books/1"},
	} {
		for _, cached := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/cache=%t", bc.name, cached), func(b *testing.B) {
				o := Options{BaseURL: testBase}
				if cached {
					o.CacheBytes = 16 << 20
				}
				s, err := NewSpace(o)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				sel := mustCompile(b, s, bc.matcher)
				s.Match(sel, bc.topic)
				if cached {
					s.cache.answers.Wait()
				}
				b.ReportAllocs()
				for b.Loop() {
					s.Match(sel, bc.topic)
				}
			})
		}
	}
}

// BenchmarkCacheMiss asks about topics never seen before, so that with a cache each answer is computed and
// offered to it.
func BenchmarkCacheMiss(b *testing.B) {
	for _, cacheBytes := range []int64{16 << 20, 0} {
		b.Run(fmt.Sprintf("cache=%t", cacheBytes > 0), func(b *testing.B) {
			s, err := NewSpace(Options{BaseURL: testBase, CacheBytes: cacheBytes})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			sel := mustCompile(b, s, urls("https://example.com/books/:id(\\d+)"))
			b.ReportAllocs()
			topic := []byte("https://example.com/books/")
			for i := 0; b.Loop(); i++ {
				s.Match(sel, string(strconv.AppendInt(topic, int64(i), 10)))
			}
		})
	}
}

// BenchmarkCompile compiles patterns that no one else uses.
func BenchmarkCompile(b *testing.B) {
	for _, bc := range []struct {
		name string
		m    mercure.Matcher
	}{
		{"exact", mercure.Matcher{Type: mercure.Exact, Pattern: "https://example.com/books/1"}},
		{"template", mercure.Matcher{Type: mercure.Template, Pattern: "https://example.com/books/{id}"}},
		{"urlpattern", mercure.Matcher{Type: mercure.URLPattern, Pattern: "https://example.com/books/:id"}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			s := newTestSpace(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.compile(bc.m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPatternMemory reports the heap bytes that one of ten thousand distinct patterns takes: as a
// selector, as a selector with its node in an index, and as an object of the library.
func BenchmarkPatternMemory(b *testing.B) {
	patterns := map[string]mercure.Matcher{
		"exact":      {Type: mercure.Exact, Pattern: "https://example.com/users/%d/books/1"},
		"urlpattern": {Type: mercure.URLPattern, Pattern: "https://example.com/users/%d/books/:id"},
		"template":   {Type: mercure.Template, Pattern: "https://example.com/users/%d/books/{id}"},
	}
	for name, m := range patterns {
		pattern := func(i int) mercure.Matcher {
			return mercure.Matcher{Type: m.Type, Pattern: fmt.Sprintf(m.Pattern, i)}
		}
		b.Run(name+"/selector", func(b *testing.B) {
			reportHeap(b, func(s *Space, _ *Index[*int], i int) any { return mustCompile(b, s, pattern(i)) })
		})
		b.Run(name+"/indexed", func(b *testing.B) {
			reportHeap(b, func(s *Space, x *Index[*int], i int) any {
				n, _ := x.Add(mustCompile(b, s, pattern(i)))
				return n
			})
		})
		b.Run(name+"/library", func(b *testing.B) {
			reportHeap(b, func(_ *Space, _ *Index[*int], i int) any {
				switch m := pattern(i); m.Type {
				case mercure.URLPattern:
					p, _ := urlpattern.New(m.Pattern, "", nil)
					return p
				case mercure.Template:
					return uritemplate.MustNew(m.Pattern).Regexp()
				default:
					return m
				}
			})
		})
	}
}

// reportHeap reports the growth of the heap for each of ten thousand objects.
func reportHeap(b *testing.B, object func(s *Space, x *Index[*int], i int) any) {
	for b.Loop() {
		s := newTestSpace(b)
		x := NewIndex[*int](s)
		objects := make([]any, benchSelectors)
		before := heap()
		for i := range objects {
			objects[i] = object(s, x, i)
		}
		b.ReportMetric(float64(heap()-before)/benchSelectors, "B/pattern")
		runtime.KeepAlive(objects)
		runtime.KeepAlive(x)
	}
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkCacheMemory fills the cache and reports the growth of the heap in percent of CacheBytes, which
// is how answerOverhead and counterBytes are found.
func BenchmarkCacheMemory(b *testing.B) {
	for bytes := int64(minCacheBytes); bytes <= 24<<20; bytes = bytes * 9 / 8 {
		b.Run(fmt.Sprintf("%dKiB", bytes>>10), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				c, err := newCache(bytes)
				if err != nil {
					b.Fatal(err)
				}
				for i := range bytes / 128 {
					topic := fmt.Sprintf("https://example.com/users/1/books/%d", i)
					c.put(c.hash("k", topic), "k", topic, true)
					if i%10_000 == 0 {
						c.answers.Wait()
					}
				}
				c.answers.Wait()
				b.ReportMetric(100*float64(heap()-before)/float64(bytes), "%heap")
				b.ReportMetric(float64(c.stats().CostBytes), "cost")
				c.close()
			}
		})
	}
}
