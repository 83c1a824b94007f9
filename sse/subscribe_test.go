package sse

import (
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"hubd/auth"
	"hubd/mercure"
)

func parse(t *testing.T, protocol auth.Protocol, components ...string) (*request, error) {
	t.Helper()
	r := new(request)
	for _, component := range components {
		var args fasthttp.Args
		args.Parse(component)
		if err := r.read(&args, protocol); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// "Subscription": which parameters are matchers, which are reserved, which are ignored.
func TestParameters(t *testing.T) {
	t.Parallel()
	exact := func(p string) mercure.Matcher { return mercure.Matcher{Type: mercure.Exact, Pattern: p} }
	pattern := func(p string) mercure.Matcher { return mercure.Matcher{Type: mercure.URLPattern, Pattern: p} }
	template := func(p string) mercure.Matcher { return mercure.Matcher{Type: mercure.Template, Pattern: p} }
	for _, test := range []struct {
		name       string
		protocol   auth.Protocol
		components []string
		want       []mercure.Matcher
		cursor     string
		err        string
	}{
		{"every type", auth.Both, []string{"match=a&match_exact=b&match_urlpattern=c&topic=d"}, []mercure.Matcher{exact("a"), exact("b"), pattern("c"), template("d")}, "", ""},
		{"percent-encoding and plus", auth.Both, []string{"match=%2Fa+b%26"}, []mercure.Matcher{exact("/a b&")}, "", ""},
		{"a raw semicolon does not separate", auth.Both, []string{"match=a;match=b"}, []mercure.Matcher{exact("a;match=b")}, "", ""},
		{"name without a value", auth.Both, []string{"match"}, []mercure.Matcher{exact("")}, "", ""},
		{"unrelated names are ignored", auth.Both, []string{"x=1&mat=2&atopic=3&match=a"}, []mercure.Matcher{exact("a")}, "", ""},
		{"reserved namespace", auth.Both, []string{"matchbox=a"}, nil, "", "matchbox"},
		{"reserved namespace in another case", auth.V1, []string{"MATCH=a"}, nil, "", "MATCH"},
		{"type in another case", auth.Both, []string{"match_URLPattern=a"}, nil, "", "match_URLPattern"},
		{"1.0 alone has no topic", auth.V1, []string{"topic=a&match=b"}, []mercure.Matcher{exact("b")}, "", ""},
		{"0.x alone has no match", auth.V0, []string{"topic=a&match=b&matchbox=c"}, []mercure.Matcher{template("a")}, "", ""},
		{"cursor of 1.0", auth.Both, []string{"last_event_id=1"}, nil, "1", ""},
		{"cursor of 0.x", auth.Both, []string{"lastEventID=1"}, nil, "1", ""},
		{"query before body", auth.Both, []string{"last_event_id=q&match=a", "last_event_id=b&match=b"}, []mercure.Matcher{exact("a"), exact("b")}, "q", ""},
		{"cursor in the body", auth.Both, []string{"match=a", "last_event_id=b"}, []mercure.Matcher{exact("a")}, "b", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := parse(t, test.protocol, test.components...)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error is %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.matchers, test.want) || r.lastEventID != test.cursor {
				t.Fatalf("read %+v, cursor %q", r.matchers, r.lastEventID)
			}
		})
	}
}

// FuzzParameters: whatever the query, reading it ends, and no reserved name slips through.
func FuzzParameters(f *testing.F) {
	f.Add("match=a&topic=b&last_event_id=c")
	f.Add("match_urlpattern=%zz&Match_x&&=;")
	f.Fuzz(func(t *testing.T, query string) {
		var args fasthttp.Args
		args.Parse(query)
		r := new(request)
		if r.read(&args, auth.Both) != nil {
			return
		}
		for key := range args.All() {
			name := string(key)
			if len(name) >= 5 && strings.EqualFold(name[:5], "match") && !slices.Contains([]string{"match", "match_exact", "match_urlpattern"}, name) {
				t.Fatalf("reserved name %q was accepted", name)
			}
		}
	})
}

// FuzzUpdate: whatever the form, reading it ends, and what is accepted is valid.
func FuzzUpdate(f *testing.F) {
	f.Add("topic=a&data=b&id=c&type=d&retry=1&private")
	f.Add("topic=%ff&topic=&data=%0d%0a")
	s := &Server{o: Options{MaxTopics: 3}}
	f.Fuzz(func(t *testing.T, body string) {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod(fasthttp.MethodPost)
		ctx.Request.Header.SetContentType(form)
		ctx.Request.SetBodyString(body)
		u, err := s.update(&ctx)
		if err == nil && (u.Validate() != nil || len(u.Topics) > 3) {
			t.Fatalf("accepted %+v", u)
		}
	})
}
