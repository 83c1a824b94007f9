package topics

import (
	"errors"
	"strings"
	"testing"

	"github.com/yosida95/uritemplate/v3"

	"hubd/mercure"
)

func FuzzTemplate(f *testing.F) {
	for _, pattern := range []string{
		"https://example.com/books/{id}", "{a}{b}", "{+a}", "a{+a}b{+c}d", "{a}-{+b}", "{a,b}", "{a*}", "{a:3}", "{/a}", "{?q}", "{#a}x", "{.a}", "{;a}", "{&a}",
		"{", "}", "{}", "{+}", "{=a}", "x", "{a}%41{b}", "{a}1x{b}", "{%41}", "{a.b}", "é{a}é", "{a}/{b}/c", "{a},{b}", "*", "{+a}*{+b}", "{a}{+b}",
	} {
		for _, topic := range []string{"https://example.com/books/1", "a-b", "a", "", "x/y/c", "%41", "%4", "%41x", "1x1x", "é1é", "a,b,c", pattern, "#ax", "?q=1", "axbyd"} {
			f.Add(pattern, topic)
		}
	}
	s := newTestSpace(f)
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		if pattern == "" || mercure.CheckText(pattern) != nil || mercure.CheckText(topic) != nil || len(pattern) > 200 || len(topic) > 200 {
			return
		}
		m := mercure.Matcher{Type: mercure.Template, Pattern: pattern}
		sel, err := s.Compile(m)
		if err != nil {
			if len(pattern) < maxVariables {
				t.Fatalf("Compile(%q): %v", pattern, err)
			}
			return
		}
		want, _ := naiveMatch(m, topic)
		for range 2 { // The second answer may come from the cache.
			if got := s.Match(sel, topic); got != want {
				t.Fatalf("Match(%q, %q) = %t, the library says %t", pattern, topic, got, want)
			}
		}
		if want && sel.kind == matchesTemplate {
			checkAnchor(t, s, sel, topic)
		}
	})
}

// matchTemplate compiles the selector and matches the topic.
func matchTemplate(t *testing.T, selector, topic string) bool {
	t.Helper()
	s := newTestSpace(t)
	return s.Match(mustCompile(t, s, mercure.Matcher{Type: mercure.Template, Pattern: selector}), topic)
}

// Section "Topic Selectors" of 0.x.
func TestTemplateSpec(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, selector, topic string
		want                  bool
	}{
		{"step 1: asterisk", "*", "https://example.com/books/1", true},
		{"step 1: asterisk, anything", "*", "", true},
		{"step 2: same string", "https://example.com/books/1", "https://example.com/books/1", true},
		{"step 2: no URL", "books 1", "books 1", true},
		{"step 2: template with itself", "https://example.com/books/{id}", "https://example.com/books/{id}", true},
		{"step 2: template with operators with itself", "/books{/id}{?page}", "/books{/id}{?page}", true},
		{"step 2: invalid template with itself", "https://example.com/{", "https://example.com/{", true},
		{"step 3: expansion", "https://example.com/books/{id}", "https://example.com/books/1", true},
		{"step 3: empty expansion", "https://example.com/books/{id}", "https://example.com/books/", true},
		{"step 3: percent-encoded expansion", "https://example.com/books/{id}", "https://example.com/books/a%2Fb", true},
		{"step 3: several", "https://example.com/{type}/{id}.json", "https://example.com/books/1.json", true},
		{"step 3: reserved expansion", "https://example.com/{+path}", "https://example.com/a/b?c", true},
		{"step 3: path segments", "https://example.com{/id*}", "https://example.com/a/b", true},
		{"step 3: form", "https://example.com/{?page}", "https://example.com/?page=1", true},
		{"step 4: slash in a simple expansion", "https://example.com/books/{id}", "https://example.com/books/1/2", false},
		{"step 4: stray percent sign", "https://example.com/books/{id}", "https://example.com/books/%4", false},
		{"step 4: text after it", "https://example.com/{id}/x", "https://example.com/1/y", false},
		{"step 4: other string", "https://example.com/books/1", "https://example.com/books/2", false},
		{"step 4: other case", "https://example.com/Books/{id}", "https://example.com/books/1", false},
		{"step 4: invalid template is no template", "https://example.com/{", "https://example.com/x", false},
		{"nothing is resolved", "/books/{id}", "https://hub.example.com/books/1", false},
		{"asterisk within a selector is text", "https://example.com/*", "https://example.com/a", false},
		{"URL pattern syntax is text", "https://example.com/:id", "https://example.com/1", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := matchTemplate(t, tc.selector, tc.topic); got != tc.want {
				t.Errorf("%q matches %q: %t, want %t", tc.selector, tc.topic, got, tc.want)
			}
		})
	}
}

// Every small template of simple expressions against every small text.
func TestTemplateRunsExhaustively(t *testing.T) {
	t.Parallel()
	inputs := texts(4, "1", "%41", "a", "/")
	for _, expression := range []string{"{x}", "{+x}"} {
		for _, raw := range texts(4, expression, "1", "%41", "/") {
			if !isTemplate(raw) {
				continue
			}
			tmpl, err := newTemplate(raw)
			if err != nil || tmpl.runs == "" {
				t.Fatalf("newTemplate(%q) = %+v, %v; want runs", raw, tmpl, err)
			}
			re := uritemplate.MustNew(raw).Regexp()
			for _, s := range inputs {
				if got, want := tmpl.match(s), re.MatchString(s); got != want {
					t.Fatalf("%q matches %q: %t, want %t", raw, s, got, want)
				}
			}
		}
	}
}

// The library's regular expression takes four kilobytes: common templates must do without.
func TestTemplateWithoutRegexp(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"https://example.com/books/{id}": false,
		"https://example.com/{a}/{b}":    false,
		"{+a}":                           false,
		"{a}{+b}":                        true,
		"{a,b}":                          true,
		"{a*}":                           true,
		"{a:3}":                          true,
		"{?q}":                           true,
	} {
		tmpl, err := newTemplate(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.runs == ""; got != want {
			t.Errorf("%q takes a regular expression: %t, want %t", raw, got, want)
		}
	}
}

// The library panics on more than a thousand variables.
func TestTemplateTooComplex(t *testing.T) {
	t.Parallel()
	s := newTestSpace(t)
	for name, raw := range map[string]string{
		"variables":   "{a" + strings.Repeat(",a", 1500) + "}",
		"expressions": strings.Repeat("{?a}", maxVariables+1),
	} {
		_, err := s.Compile(mercure.Matcher{Type: mercure.Template, Pattern: raw})
		if !errors.Is(err, ErrSelector) || !errors.Is(err, errTemplateSize) {
			t.Errorf("%s: %v, want %v", name, err, errTemplateSize)
		}
	}
	if !matchTemplate(t, "{a"+strings.Repeat(",a", maxVariables-2)+"}", "1,2,3") {
		t.Error("a template with fewer variables does not match")
	}
}

// A topic too long for a regular expression matches no template that takes one, but still itself.
func TestTemplateLongTopic(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxDearTopic)
	for _, tc := range []struct {
		selector, topic string
		want            bool
	}{
		{"{a}", long + long, true},
		{"{a}{?b}", long, true},
		{"{a}{?b}", long + "x", false},
	} {
		if got := matchTemplate(t, tc.selector, tc.topic); got != tc.want {
			t.Errorf("%q matches a topic of %d bytes: %t, want %t", tc.selector, len(tc.topic), got, tc.want)
		}
	}
}
