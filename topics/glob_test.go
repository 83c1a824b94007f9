package topics

import (
	"regexp"
	"strings"
	"testing"
)

func TestParseGlob(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, glob string
		ok            bool
	}{
		{"", "", true},
		{"*", "\x00", true},
		{"/books/:id", "/books/\x01", true},
		{"/:a-:b.json", "/\x01-\x01.json", true},
		{"*.example.com", "\x00.example.com", true},
		{"/:a/*/b", "/\x01/\x00/b", true},
		{"/*/:a", "/\x00/\x01", true},
		{"/*/a/*", "/\x00/a/\x00", true},
		{"[\\:\\:1]", "[::1]", true},
		{"a\\*b", "a*b", true},
		{"/:a?", "", false},
		{"/:a*", "", false},
		{"/**", "", false},
		{"/:a:b", "", false},
		{"/*:a", "", false},
		{"/*/:a/*", "", false},
		{"/:a(b)", "", false},
		{"/{a}", "", false},
		{"/:café", "", false},
		{"/:", "", false},
		{"/a\\", "", false},
		{"/a\\b", "", false},
		{"/é", "", false},
		{"/a+", "", false},
	} {
		glob, ok := parseGlob(tc.pattern)
		if glob != tc.glob || ok != tc.ok {
			t.Errorf("parseGlob(%q) = %q, %t; want %q, %t", tc.pattern, glob, ok, tc.glob, tc.ok)
		}
	}
}

// texts returns all texts of up to n of the pieces.
func texts(n int, pieces ...string) []string {
	all, last := []string{""}, []string{""}
	for range n {
		var next []string
		for _, text := range last {
			for _, piece := range pieces {
				next = append(next, text+piece)
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// globRegexp translates a glob as the standard does a pattern ("generate a regular expression and name
// list").
func globRegexp(glob, segment string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(glob)
	quoted = strings.ReplaceAll(quoted, "\x00", ".*")
	return regexp.MustCompile(`\A(?:` + strings.ReplaceAll(quoted, "\x01", segment) + `)\z`)
}

// Every small glob against every small text.
func TestMatchGlobExhaustively(t *testing.T) {
	t.Parallel()
	inputs := texts(5, "a", "b", "/")
	globs := map[string]bool{}
	for _, pattern := range texts(5, ":n", "*", "a", "b/") {
		if glob, ok := parseGlob(pattern); ok {
			globs[glob] = true
		}
	}
	for glob := range globs {
		for segment, delimiter := range map[string]byte{"[^/]+?": '/', ".+?": 0} {
			re := globRegexp(glob, segment)
			for _, s := range inputs {
				if got, want := matchGlob(glob, s, delimiter), re.MatchString(s); got != want {
					t.Fatalf("matchGlob(%q, %q, %q) = %t, want %t", glob, s, delimiter, got, want)
				}
			}
		}
	}
}
