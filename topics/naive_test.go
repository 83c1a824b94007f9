package topics

import (
	"errors"
	"testing"

	"github.com/dunglas/go-urlpattern"
	"github.com/yosida95/uritemplate/v3"

	"hubd/mercure"
)

const testBase = "https://hub.example.com/.well-known/mercure"

// newTestSpace returns a space for the hub at testBase with the smallest cache.
func newTestSpace(t testing.TB) *Space {
	t.Helper()
	s, err := NewSpace(Options{BaseURL: testBase, CacheBytes: minCacheBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func mustCompile(t testing.TB, s *Space, m mercure.Matcher) *Selector {
	t.Helper()
	sel, err := s.Compile(m)
	if err != nil {
		t.Fatal(err)
	}
	return sel
}

// naiveMatch matches by the sentences of the specifications and with the libraries alone: nothing of
// this package is in it. ok is false where the matcher is not valid.
func naiveMatch(m mercure.Matcher, topic string) (match, ok bool) {
	if m.Pattern == "*" {
		return true, true
	}
	switch m.Type {
	case mercure.Exact:
		return m.Pattern == topic, true
	case mercure.URLPattern:
		p := naiveURLPattern(m.Pattern)
		return p != nil && p.Test(topic, testBase), p != nil
	}
	if m.Pattern == topic {
		return true, true
	}
	template, err := uritemplate.New(m.Pattern)
	return err == nil && naiveTemplate(template, topic), true
}

// naiveTemplate guards against the library's panic on templates with too many variables.
func naiveTemplate(template *uritemplate.Template, topic string) (match bool) {
	defer func() { _ = recover() }()
	return template.Regexp().MatchString(topic)
}

// naiveURLPattern compiles with the library, or returns nil.
func naiveURLPattern(pattern string) (p *urlpattern.URLPattern) {
	defer func() {
		if recover() != nil {
			p = nil
		}
	}()
	p, err := urlpattern.New(pattern, "", nil)
	if errors.Is(err, urlpattern.ErrNoBaseURL) {
		p, err = urlpattern.New(pattern, testBase, nil)
	}
	if err != nil {
		return nil
	}
	return p
}
