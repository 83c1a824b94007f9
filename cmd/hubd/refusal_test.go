package main

import (
	"net/http"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

const formType = "application/x-www-form-urlencoded"

// What bad input gets: a status, one line that says what is wrong, the challenge where a token is at
// fault, and a hub that goes on.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--max-body=5KiB", "--max-topics=2", "--max-matchers=2", "--publish-origins=https://app.example")
	publisher := "Bearer " + hubtest.Token(t, []string{"https://example.com/{+any}", "a", "b", "c", "/.well-known/mercure/x"}, nil)
	subscriber := "Bearer " + hubtest.Token(t, nil, []string{"*"})
	cookie := "mercureAuthorization=" + hubtest.Token(t, []string{"*"}, []string{"*"})
	for _, test := range []struct {
		name, method, query, body string
		headers                   []string
		status                    int
		line, challenge           string
	}{
		{"publish without a token", "POST", "", "topic=a", nil, 401, "takes a token", "Bearer"},
		{"publish with a bad token", "POST", "", "topic=a", []string{"Authorization", "Bearer x.y.z"}, 401, "not valid", `error="invalid_token"`},
		{"publish with a subscriber's scope", "POST", "", "topic=a", []string{"Authorization", subscriber}, 403, "does not grant", `error="insufficient_scope"`},
		{"publish with another scheme", "POST", "", "topic=a", []string{"Authorization", "Basic eDp5"}, 400, "not Bearer", `error="invalid_request"`},
		{"publish to one topic too many for the token", "POST", "", "topic=a&topic=d", []string{"Authorization", publisher}, 403, "every topic", `error="insufficient_scope"`},
		{"publish without a topic", "POST", "", "data=x", []string{"Authorization", publisher}, 400, `"topic" is missing`, ""},
		{"publish to the wildcard", "POST", "", "topic=*", []string{"Authorization", publisher}, 400, `"topic" is "*"`, ""},
		{"publish to the hub's namespace", "POST", "", "topic=/.well-known/mercure/x", []string{"Authorization", publisher}, 400, "reserved", ""},
		{"publish with a control in the id", "POST", "", "topic=a&id=%01", []string{"Authorization", publisher}, 400, `"id"`, ""},
		{"publish with the hub's type", "POST", "", "topic=a&type=mercure", []string{"Authorization", publisher}, 400, `"type"`, ""},
		{"publish with a bad retry", "POST", "", "topic=a&retry=1s", []string{"Authorization", publisher}, 400, `"retry"`, ""},
		{"publish with data that is not UTF-8", "POST", "", "topic=a&data=%ff", []string{"Authorization", publisher}, 400, `"data"`, ""},
		{"publish JSON", "POST", "", `{"topic":"a"}`, []string{"Authorization", publisher, "Content-Type", "application/json"}, 400, formType, ""},
		{"publish too many topics", "POST", "", "topic=a&topic=b&topic=c", []string{"Authorization", publisher}, 413, "more than 2", ""},
		{"publish to a long topic", "POST", "", "topic=" + strings.Repeat("x", 4097), []string{"Authorization", publisher}, 413, "4096 bytes", ""},
		{"publish too much", "POST", "", "topic=a&data=" + strings.Repeat("x", 6000), []string{"Authorization", publisher}, 413, "larger", ""},
		{"publish with a cookie from nowhere", "POST", "", "topic=a", []string{"Cookie", cookie}, 403, "Origin", ""},
		{"publish with a cookie from another site", "POST", "", "topic=a", []string{"Cookie", cookie, "Origin", "https://evil.example"}, 403, "Origin", ""},
		{"publish with a cookie from a listed site", "POST", "", "topic=a", []string{"Cookie", cookie, "Origin", "https://app.example"}, 200, "", ""},
		{"subscribe without a token", "GET", "?topic=a", "", nil, 401, "takes a token", "Bearer"},
		{"subscribe to nothing", "GET", "", "", []string{"Authorization", subscriber}, 400, "no matcher", ""},
		{"subscribe with an unknown matcher type", "GET", "?match_regexp=a", "", []string{"Authorization", subscriber}, 400, "match_regexp", ""},
		{"subscribe with a misspelled matcher type", "GET", "?Match=a", "", []string{"Authorization", subscriber}, 400, `"Match"`, ""},
		{"subscribe with an ill-formed pattern", "GET", "?match_urlpattern=https://example.com/(", "", []string{"Authorization", subscriber}, 400, "", ""},
		{"subscribe with a control in the matcher", "GET", "?match=a%00", "", []string{"Authorization", subscriber}, 400, "U+0000", ""},
		{"subscribe with too many matchers", "GET", "?topic=a&match=b&match=c", "", []string{"Authorization", subscriber}, 400, "more than 2", ""},
		{"query with JSON", "QUERY", "", `{}`, []string{"Authorization", subscriber, "Content-Type", "application/json"}, 400, formType, ""},
		{"delete", "DELETE", "", "", nil, 405, "GET, QUERY, POST, OPTIONS", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := hubtest.Do(t, test.method, p.URL+test.query, test.body, test.headers...)
			if a.Status != test.status || !strings.Contains(a.Body, test.line) {
				t.Errorf("answer is %d %q, want %d with %q", a.Status, a.Body, test.status, test.line)
			}
			if got := a.Header.Get("WWW-Authenticate"); !strings.Contains(got, test.challenge) || (test.challenge == "") != (got == "") {
				t.Errorf("challenge is %q, want %q", got, test.challenge)
			}
			if test.status != http.StatusOK && strings.Count(a.Body, "\n") != 1 {
				t.Errorf("answer is not one line: %q", a.Body)
			}
		})
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--cors-origins=https://app.example")
	for _, test := range []struct{ origin, want, credentials string }{
		{"https://app.example", "https://app.example", "true"},
		{"https://evil.example", "", ""},
		{"", "", ""},
	} {
		headers := []string{"Access-Control-Request-Method", "POST"}
		if test.origin != "" {
			headers = append(headers, "Origin", test.origin)
		}
		a := hubtest.Do(t, http.MethodOptions, p.URL, "", headers...)
		if a.Status != http.StatusNoContent {
			t.Errorf("preflight of %q: status %d", test.origin, a.Status)
		}
		s := p.Subscribe(t, "topic=a", headers...)
		for what, h := range map[string]http.Header{"preflight": a.Header, "stream": s.Header} {
			if got := h.Get("Access-Control-Allow-Origin"); got != test.want {
				t.Errorf("%s of %q: allowed origin is %q, want %q", what, test.origin, got, test.want)
			}
			if got := h.Get("Access-Control-Allow-Credentials"); got != test.credentials {
				t.Errorf("%s of %q: credentials are %q, want %q", what, test.origin, got, test.credentials)
			}
		}
	}
}

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--max-connections-per-ip=2")
	first := p.Subscribe(t, "topic=a")
	p.Subscribe(t, "topic=a")
	if a := hubtest.Do(t, http.MethodGet, p.URL+"?topic=a", ""); a.Status != http.StatusTooManyRequests {
		t.Fatalf("third connection: status %d", a.Status)
	}
	first.Close()
	p.AwaitMetric(t, "mercure_subscribers_connected", "1")
	p.Subscribe(t, "topic=a")
}
