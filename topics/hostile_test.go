package topics

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hubd/mercure"
)

// repeated returns a pattern of n bytes at most, made of a unit in which "#" stands for its number.
func repeated(n int, head, unit, tail string) string {
	var b strings.Builder
	b.WriteString(head)
	for i := 0; ; i++ {
		next := strings.ReplaceAll(unit, "#", fmt.Sprint(i))
		if b.Len()+len(next)+len(tail) > n {
			return b.String() + tail
		}
		b.WriteString(next)
	}
}

// hostile are the matchers that cost the libraries most, each as large as it may be.
func hostile(n int) map[string]mercure.Matcher {
	return map[string]mercure.Matcher{
		"host of many labels":            urls(repeated(n, "https://", "é.", "com/")),
		"host that is one label":         urls(repeated(n, "https://", "é", ".com/")),
		"path that is percent-encoded":   urls(repeated(n, "/", "é", "")),
		"query that is percent-encoded":  urls(repeated(n, "/\\?", "é", "")),
		"user name":                      urls(repeated(n, "https://", "é", "@example.com/")),
		"path that climbs":               urls(repeated(n, "/", "a/../", "")),
		"escapes":                        urls(repeated(n, "/", "\\a", "")),
		"options and text":               urls(repeated(n, "/"+strings.Repeat("{a}?", maxGroups), "é", "")),
		"host that is no host":           urls(repeated(n, "https://", "xn--a.", "com/")),
		"regular expressions":            urls("/" + strings.Repeat("(.*)", maxGroups)),
		"regular expressions that split": urls("/" + strings.Repeat("(a*a*a*a*a*)", maxGroups) + "b"),
		"variables":                      templates("{a" + strings.Repeat(",a", maxVariables-2) + "}"),
		"expressions":                    templates(strings.Repeat("{+a*}", maxVariables)),
		"prefixes":                       templates(strings.Repeat("{+a:9999}", maxVariables)),
	}
}

// Section "URL-Pattern Denial of Service": whatever takes the library is bounded in length, and plain patterns are not.
func TestURLPatternTooLong(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for name, m := range hostile(defaultMaxPattern) {
		if m.Type != mercure.URLPattern || len(m.Pattern) <= maxDearPattern {
			continue
		}
		if _, err := s.Compile(m); !errors.Is(err, errURLPatternLong) || !errors.Is(err, ErrSelector) {
			t.Errorf("%s: Compile of %d bytes: %v, want %v", name, len(m.Pattern), err, errURLPatternLong)
		}
	}
	for _, pattern := range []string{repeated(defaultMaxPattern, "https://example.com", "/a", ""), repeated(defaultMaxPattern, "", "/:a#", "")} {
		mustCompile(t, s, urls(pattern))
	}
	mustCompile(t, s, urls(repeated(maxDearPattern, "/", "é", "")))
}

// BenchmarkHostile compiles each of the dearest matchers and matches it with the longest topic.
func BenchmarkHostile(b *testing.B) {
	topics := []string{"/" + strings.Repeat("a", maxDearTopic-3) + "\"", strings.Repeat("a,", maxDearTopic/2-1) + "\""}
	for name, m := range hostile(maxDearPattern) {
		b.Run("compile "+name, func(b *testing.B) {
			s := newTestSpace(b)
			for b.Loop() {
				_, _ = s.compile(m)
			}
		})
		b.Run("match "+name, func(b *testing.B) {
			s := newTestSpace(b)
			sel, err := s.Compile(m)
			if err != nil {
				b.Skip("it is not valid")
			}
			for b.Loop() {
				for _, topic := range topics {
					sub := subject{topic: topic}
					if m.Type == mercure.URLPattern {
						_ = s.evaluate(sel, &sub)
					} else {
						_ = s.match(sel, &sub)
					}
				}
			}
		})
	}
}
