package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/mercure"
)

// v1 is a 1.0 token with the selectors for subscribing, URL patterns where they hold a colon.
func v1(t *testing.T, payload string, selectors ...string) string {
	t.Helper()
	o := auth.MintOptions{
		Dialect: auth.V1, Issuer: "https://issuer.example", Audience: "https://hub.example",
		Issued: time.Now(), Expires: time.Now().Add(time.Hour), Publish: []mercure.Matcher{{Pattern: "*"}},
	}
	if payload != "" {
		o.Payload = json.RawMessage(payload)
	}
	for _, s := range selectors {
		m := mercure.Matcher{Pattern: s}
		if strings.ContainsAny(s, ":") {
			m.Type = mercure.URLPattern
		}
		o.Subscribe = append(o.Subscribe, m)
	}
	return hubtest.Mint(t, o)
}

func tracking(t *testing.T) *hubtest.Process {
	t.Helper()
	return hubtest.Start(t, t.TempDir(), "--anonymous", "--subscriptions", "--drain=0s",
		"--issuer=https://issuer.example", "--audience=https://hub.example")
}

type document struct {
	Context    string          `json:"@context"`
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Topic      string          `json:"topic"`
	MatchType  string          `json:"match_type"`
	Match      string          `json:"match"`
	Subscriber string          `json:"subscriber"`
	Active     bool            `json:"active"`
	Payload    json.RawMessage `json:"payload"`
	LastID     string          `json:"lastEventID"`
	All        []document      `json:"subscriptions"`
}

func decode(t *testing.T, text string) (d document) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("document %q: %v", text, err)
	}
	return d
}

// "Subscription Events": begin and end, each in the version of the protocol in which it was made.
func TestSubscriptionEvents(t *testing.T) {
	t.Parallel()
	p := tracking(t)
	watcher := p.Subscribe(t, "match_urlpattern="+enc("/.well-known/mercure/subscriptions/*"),
		"Authorization", "Bearer "+v1(t, "", "/.well-known/mercure/subscriptions/:any*"))
	watcher.Next(t) // itself
	anonymous := p.Subscribe(t, "topic="+enc("/.well-known/mercure/subscriptions/{+any}"))
	watcher.Next(t)

	subscriber := p.Subscribe(t, "match="+enc(topic)+"&topic="+enc("books/{id}"), "Authorization", "Bearer "+v1(t, `{"name":"x"}`, "*"))
	seen := map[string]document{}
	for range 2 {
		e := watcher.Next(t)
		d := decode(t, e.Data)
		if !d.Active || d.Subscriber == "" || !strings.HasPrefix(d.ID, "/.well-known/mercure/subscriptions/") {
			t.Errorf("event is %s", e.Data)
		}
		seen[d.Type] = d
		if want := map[string]string{"subscription": "mercure", "Subscription": ""}[d.Type]; e.Type != want {
			t.Errorf("event of type %q for a %s", e.Type, d.Type)
		}
	}
	if d := seen["subscription"]; d.Match != topic || d.MatchType != "exact" || string(d.Payload) != `{"name":"x"}` {
		t.Errorf("1.0 event is %+v", d)
	}
	if d := seen["Subscription"]; d.Topic != "books/{id}" || d.Context != "https://mercure.rocks/" {
		t.Errorf("0.x event is %+v", d)
	}
	subscriber.Close()
	for range 2 {
		if d := decode(t, watcher.Next(t).Data); d.Active || seen[d.Type].ID != d.ID {
			t.Errorf("event at the end is %+v, at the beginning it was %+v", d, seen[d.Type])
		}
	}
	// They are private: someone without a grant gets the next public update first.
	p.PublishData(t, "/.well-known/mercure-is-not-reserved-here", "public")
	p.PublishData(t, "/x", "public")
	anonymous.Close()
}

// "Subscription API": three shapes, both versions, what each token may see, and the cursor.
func TestSubscriptionAPI(t *testing.T) {
	t.Parallel()
	p := tracking(t)
	last := p.PublishData(t, "a", "x")
	p.Subscribe(t, "match="+enc(topic))
	p.Subscribe(t, "topic="+enc("https://example.com/{a}/{b}"))
	p.AwaitMetric(t, "mercure_updates_total", "3")

	api := p.URL + "/subscriptions"
	one := "Bearer " + v1(t, "", "/.well-known/mercure/subscriptions", "/.well-known/mercure/subscriptions/:any*")
	zero := "Bearer " + hubtest.Token(t, nil, []string{"/.well-known/mercure/subscriptions{+any}"})

	a := hubtest.Do(t, http.MethodGet, api, "", "Authorization", one)
	d := decode(t, a.Body)
	if a.Status != 200 || a.Header.Get("Content-Type") != "application/json" || d.Type != "subscriptions" || d.ID != "/.well-known/mercure/subscriptions" || len(d.All) != 2 {
		t.Fatalf("collection: %d %v %s", a.Status, a.Header, a.Body)
	}
	link := a.Header.Get("Link")
	if !strings.Contains(link, `rel="mercure"; last-event-id="urn:uuid:`) || !strings.Contains(link, `type="mercure"; content-type="application/json"`) || strings.Contains(link, last) {
		t.Errorf("link is %s", link)
	}
	tag := a.Header.Get("ETag")
	if again := hubtest.Do(t, http.MethodGet, api, "", "Authorization", one, "If-None-Match", `"other", `+tag); again.Status != http.StatusNotModified || again.Body != "" {
		t.Errorf("with the entity tag: %d %q", again.Status, again.Body)
	}

	a = hubtest.Do(t, http.MethodGet, api, "", "Authorization", zero)
	d = decode(t, a.Body)
	if a.Header.Get("Content-Type") != "application/ld+json" || d.Type != "Subscriptions" || d.Context == "" || !strings.HasPrefix(d.LastID, "urn:uuid:") || len(d.All) != 2 {
		t.Fatalf("0.x collection: %v %s", a.Header, a.Body)
	}
	base := strings.TrimSuffix(p.URL, "/.well-known/mercure")
	for _, s := range d.All {
		token, matcher := zero, s.Topic
		if s.Type == "subscription" {
			token, matcher = one, s.Match
		}
		a := hubtest.Do(t, http.MethodGet, base+s.ID, "", "Authorization", token)
		if got := decode(t, a.Body); a.Status != 200 || got.ID != s.ID || !got.Active || got.Subscriber != s.Subscriber {
			t.Errorf("%s: %d %s", s.ID, a.Status, a.Body)
		}
		collection := strings.TrimSuffix(s.ID, "/"+url.QueryEscape(s.Subscriber))
		a = hubtest.Do(t, http.MethodGet, base+collection, "", "Authorization", token)
		if got := decode(t, a.Body); a.Status != 200 || len(got.All) != 1 || got.All[0].ID != s.ID {
			t.Errorf("collection of %s: %d %s", matcher, a.Status, a.Body)
		}
		a = hubtest.Do(t, http.MethodGet, base+collection+"/urn%3Auuid%3Anobody", "", "Authorization", token)
		if a.Status != http.StatusNotFound {
			t.Errorf("subscriber that is not there: %d", a.Status)
		}
	}
	for name, test := range map[string]struct {
		path, token string
		status      int
	}{
		"no token":          {"", "", 401},
		"another grant":     {"", "Bearer " + v1(t, "", topic), 403},
		"unknown type":      {"/template/x", one, 404},
		"too deep":          {"/exact/a/b/c", one, 404},
		"not the namespace": {"x", one, 404},
	} {
		var headers []string
		if test.token != "" {
			headers = []string{"Authorization", test.token}
		}
		if a := hubtest.Do(t, http.MethodGet, api+test.path, "", headers...); a.Status != test.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestSubscriptionAPIPages(t *testing.T) {
	t.Parallel()
	p := tracking(t)
	for range 5 {
		p.Subscribe(t, "match=a")
	}
	token := "Bearer " + v1(t, "", "*")
	base := strings.TrimSuffix(p.URL, "/.well-known/mercure")
	seen := map[string]bool{}
	pages := 0
	for next := "/.well-known/mercure/subscriptions?limit=2"; next != ""; pages++ {
		a := hubtest.Do(t, http.MethodGet, base+next, "", "Authorization", token)
		for _, s := range decode(t, a.Body).All {
			if seen[s.ID] {
				t.Errorf("%s is on two pages", s.ID)
			}
			seen[s.ID] = true
		}
		next = ""
		for _, link := range a.Header.Values("Link") {
			if target, found := strings.CutSuffix(link, `>; rel="next"`); found {
				next = strings.TrimPrefix(target, "<")
			}
		}
	}
	if len(seen) != 5 || pages != 3 {
		t.Fatalf("%d subscriptions on %d pages", len(seen), pages)
	}
}

// EventSource hides headers, so a gap is told by an event.
func TestGapNotice(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--history-max-events=2", "--drain=0s")
	first := p.PublishData(t, topic, "1")
	second := p.PublishData(t, topic, "2")
	p.PublishData(t, topic, "3")
	s := p.Subscribe(t, "topic="+enc(topic)+"&lastEventID="+enc(first))
	e := s.Next(t)
	if e.Type != "hubd-gap" || e.LastEventID != "" || e.Data != `{"requested":"`+first+`","oldest":"`+second+`"}` {
		t.Fatalf("first event is %+v", e)
	}
	s.Expect(t, "2", "3")
	p.Subscribe(t, "topic="+enc(topic)+"&lastEventID=earliest").Expect(t, "2", "3")
	p.Subscribe(t, "topic="+enc(topic)+"&lastEventID="+enc(second)).Expect(t, "3")

	p = hubtest.Start(t, t.TempDir(), "--anonymous", "--no-gap-notice", "--drain=0s")
	s = p.Subscribe(t, "topic="+enc(topic)+"&lastEventID=nowhere")
	p.PublishData(t, topic, "live")
	s.Expect(t, "live")
}

// "Token Validation": the audience is the hub's, whatever Host a request claims.
func TestAudienceIsNotTheRequests(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--issuer=https://issuer.example")
	mint := func(audience string) string {
		return "Bearer " + hubtest.Mint(t, auth.MintOptions{
			Dialect: auth.V1, Issuer: "https://issuer.example", Audience: audience,
			Issued: time.Now(), Expires: time.Now().Add(time.Hour), Publish: []mercure.Matcher{{Pattern: "*"}},
		})
	}
	foreign := mint("https://other.example/.well-known/mercure")
	a := hubtest.Do(t, http.MethodPost, p.URL, "topic=a", "Authorization", foreign, "Host", "other.example", "X-Forwarded-Proto", "https")
	if a.Status != http.StatusUnauthorized {
		t.Errorf("token for another hub, with that hub's Host: %d", a.Status)
	}
	if a = hubtest.Do(t, http.MethodPost, p.URL, "topic=a", "Authorization", mint(p.URL)); a.Status != http.StatusOK {
		t.Errorf("token for this hub: %d %s", a.Status, a.Body)
	}
}

// The hub's own URL: derived, fixed, or one of several by the request's host.
func TestPublicURLs(t *testing.T) {
	t.Parallel()
	several := hubtest.Start(t, t.TempDir(), "--public-url=https://a.example/.well-known/mercure,https://b.example/.well-known/mercure")
	one := hubtest.Start(t, t.TempDir(), "--public-url=https://a.example/.well-known/mercure")
	const page = "/.well-known/oauth-protected-resource/.well-known/mercure"
	for _, test := range []struct {
		hub      *hubtest.Process
		host     string
		status   int
		resource string
	}{
		{several, "a.example", 200, "https://a.example/.well-known/mercure"},
		{several, "B.example", 200, "https://b.example/.well-known/mercure"},
		{several, "c.example", 421, ""},
		{one, "c.example", 200, "https://a.example/.well-known/mercure"},
	} {
		a := hubtest.Do(t, http.MethodGet, test.hub.Address()+page, "", "Host", test.host)
		var m struct{ Resource string }
		if a.Status == 200 {
			if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
				t.Fatal(err)
			}
		}
		if a.Status != test.status || m.Resource != test.resource {
			t.Errorf("host %s: %d %s", test.host, a.Status, a.Body)
		}
	}
}

// "Protected Resource Metadata", and the challenge that points to it.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--subscriptions")
	base := strings.TrimSuffix(p.URL, "/.well-known/mercure")
	page := base + "/.well-known/oauth-protected-resource/.well-known/mercure"
	var m map[string]any
	if err := json.Unmarshal([]byte(hubtest.Do(t, http.MethodGet, page, "").Body), &m); err != nil {
		t.Fatal(err)
	}
	if m["resource"] != p.URL || m["mercure_cookie"] != "__Secure-mercure_access_token" || m["mercure_subscriptions"] != true {
		t.Errorf("metadata is %v", m)
	}
	a := hubtest.Do(t, http.MethodGet, p.URL+"?match=a", "")
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer resource_metadata="`+page+`"` {
		t.Errorf("challenge is %s", got)
	}
}
