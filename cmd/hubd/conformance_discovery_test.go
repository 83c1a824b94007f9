package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

// "Protected Resource Metadata": every member, and those that a hub without the feature leaves out.
func TestMetadataMembers(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	page := strings.TrimSuffix(p.URL, "/.well-known/mercure") + "/.well-known/oauth-protected-resource/.well-known/mercure"
	a := hubtest.Do(t, http.MethodGet, page, "")
	var got map[string]any
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("metadata is %v %s", a.Header, a.Body)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"authorization_details_types_supported":["https://mercure.rocks/authorization-detail"],` +
		`"bearer_methods_supported":["header"],"mercure_cookie":"__Secure-mercure_access_token",` +
		`"mercure_matcher_types_supported":["exact","urlpattern"],"resource":"https://hub.example"}`
	if string(text) != want {
		t.Errorf("metadata is\n%s, want\n%s", text, want)
	}
}

// "Hub Discovery": the address of the metadata follows the hub's URL, whatever its path (RFC 9728, section 3.1).
func TestMetadataOfAnotherPath(t *testing.T) {
	t.Parallel()
	p := conforming(t, "--public-url=https://example.com/push/hub")
	const path = "/.well-known/oauth-protected-resource/push/hub"
	a := hubtest.Do(t, http.MethodPost, p.URL, "topic=t")
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer resource_metadata="https://example.com`+path+`"` {
		t.Errorf("challenge is %s", got)
	}
	if a := hubtest.Do(t, http.MethodGet, p.Address()+path, ""); a.Status != http.StatusOK {
		t.Errorf("metadata: %d", a.Status)
	}
}

// "Subscription" on CORS: origins are a list, credentials are for its members by name, and an origin that
// asks is never simply repeated.
func TestCrossOriginRequests(t *testing.T) {
	t.Parallel()
	const app, stranger = "https://app.example", "https://evil.example"
	listed := conforming(t, "--cors-origins="+app)
	public := conforming(t, "--cors-origins=*,"+app)
	none := conforming(t)
	cookie := "mercureAuthorization=" + hubtest.Token(t, nil, []string{"*"})
	for name, test := range map[string]struct {
		p              *hubtest.Process
		origin, cookie string
		want, trusted  string
	}{
		"listed":                                  {listed, app, "", app, "true"},
		"listed, with a cookie":                   {listed, app, cookie, app, "true"},
		"not listed":                              {listed, stranger, "", "", ""},
		"not listed, with a cookie":               {listed, stranger, cookie, "", ""},
		"begins like a listed one":                {listed, app + ".evil.example", cookie, "", ""},
		"another scheme":                          {listed, "http://app.example", cookie, "", ""},
		"another port":                            {listed, app + ":8443", cookie, "", ""},
		"null":                                    {listed, "null", cookie, "", ""},
		"any origin is allowed":                   {public, stranger, "", "*", ""},
		"any origin, but not its cookie":          {public, stranger, cookie, "", ""},
		"listed where any is allowed":             {public, app, cookie, app, "true"},
		"null where any is allowed, not a cookie": {public, "null", cookie, "", ""},
		"no list":                                 {none, app, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := []string{"Origin", test.origin}
			if test.cookie != "" {
				headers = append(headers, "Cookie", test.cookie)
			}
			answers := map[string]http.Header{
				"stream":  test.p.Subscribe(t, "match=t&last_event_id=earliest", headers...).Header,
				"refusal": hubtest.Do(t, http.MethodGet, test.p.URL+"?match_x=t", "", headers...).Header,
				"preflight": hubtest.Do(t, http.MethodOptions, test.p.URL, "", append(headers,
					"Access-Control-Request-Method", "QUERY", "Access-Control-Request-Headers", "authorization, content-type, last-event-id")...).Header,
			}
			for what, h := range answers {
				if got := h.Get("Access-Control-Allow-Origin"); got != test.want {
					t.Errorf("%s: allowed origin is %q, want %q", what, got, test.want)
				}
				if got := h.Get("Access-Control-Allow-Credentials"); got != test.trusted {
					t.Errorf("%s: credentials are %q, want %q", what, got, test.trusted)
				}
				if test.p != none && h.Get("Vary") != "Origin" {
					t.Errorf("%s: Vary is %q", what, h.Get("Vary"))
				}
				exposed := h.Get("Access-Control-Expose-Headers")
				for _, name := range []string{"Mercure-Last-Event-ID", "Last-Event-ID", "Link"} {
					if (test.want != "") != strings.Contains(exposed, name) {
						t.Errorf("%s: exposed headers are %q", what, exposed)
					}
				}
			}
			if test.want == "" {
				return
			}
			for name, part := range map[string]string{"Access-Control-Allow-Methods": "QUERY", "Access-Control-Allow-Headers": "Authorization"} {
				if got := answers["preflight"].Get(name); !strings.Contains(got, part) {
					t.Errorf("preflight: %s is %q", name, got)
				}
			}
		})
	}
}
