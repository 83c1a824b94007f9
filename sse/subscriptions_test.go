package sse

import (
	"strings"
	"testing"

	"hubd/auth"
	"hubd/mercure"
)

// "Subscription API" of both versions: the shapes of its addresses, each variable encoded once.
func TestReadFilter(t *testing.T) {
	t.Parallel()
	exact := func(p string) *mercure.Matcher { return &mercure.Matcher{Type: mercure.Exact, Pattern: p} }
	template := func(p string) *mercure.Matcher { return &mercure.Matcher{Type: mercure.Template, Pattern: p} }
	for _, test := range []struct {
		name, rest string
		dialect    auth.Protocol
		matcher    *mercure.Matcher
		subscriber string
		fails      bool
	}{
		{"everything", "", auth.V1, nil, "", false},
		{"a matcher", "/exact/a", auth.V1, exact("a"), "", false},
		{"encoded slashes and percent signs", "/exact/https%3A%2F%2Fx%2F100%25%2F%252F", auth.V1, exact("https://x/100%/%2F"), "", false},
		{"a subscriber", "/exact/a/urn%3Ab", auth.V1, exact("a"), "urn:b", false},
		{"a URL pattern", "/urlpattern/%2F%3Aid", auth.V1, &mercure.Matcher{Type: mercure.URLPattern, Pattern: "/:id"}, "", false},
		{"a plus is a plus", "/exact/a+b", auth.V1, exact("a+b"), "", false},
		{"a topic of 0.x", "/https%3A%2F%2Fx%2F%7Bid%7D", auth.V0, template("https://x/{id}"), "", false},
		{"a subscriber of 0.x", "/a/b", auth.V0, template("a"), "b", false},
		{"a type alone", "/exact", auth.V1, nil, "", true},
		{"a type unknown", "/template/a", auth.V1, nil, "", true},
		{"a type in another case", "/Exact/a", auth.V1, nil, "", true},
		{"an empty matcher", "/exact//b", auth.V1, nil, "", true},
		{"a slash at the end", "/exact/a/", auth.V1, nil, "", true},
		{"a slash alone", "/", auth.V1, nil, "", true},
		{"too deep", "/exact/a/b/c", auth.V1, nil, "", true},
		{"too deep for 0.x", "/a/b/c", auth.V0, nil, "", true},
		{"a stray percent sign", "/exact/%zz", auth.V1, nil, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f, err := readFilter(test.rest, test.dialect)
			if (err != nil) != test.fails {
				t.Fatalf("error is %v", err)
			}
			if test.fails {
				return
			}
			if f.subscriber != test.subscriber || (f.matcher == nil) != (test.matcher == nil) || f.matcher != nil && *f.matcher != *test.matcher {
				t.Fatalf("read %+v of subscriber %q", f.matcher, f.subscriber)
			}
		})
	}
}

// FuzzReadFilter: whatever the path, reading it ends, and a subscription is found at its own address.
func FuzzReadFilter(f *testing.F) {
	f.Add("/exact/https%3A%2F%2Fexample.com%2F/urn%3Auuid%3A1", true)
	f.Add("/%2F%25/%zz", false)
	f.Fuzz(func(t *testing.T, rest string, v1 bool) {
		dialect := auth.V0
		if v1 {
			dialect = auth.V1
		}
		filter, err := readFilter(rest, dialect)
		if err != nil || filter.subscriber == "" {
			return
		}
		s := mercure.Subscription{Matcher: *filter.matcher, Subscriber: filter.subscriber}
		again, err := readFilter(strings.TrimPrefix(s.Topic(Path), subscriptionsPath), dialect)
		if err != nil || !filter.has(&s) || !again.has(&s) {
			t.Fatalf("%q is at %q, where it is not found: %v", rest, s.Topic(Path), err)
		}
	})
}
