package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

const allSubscriptions = "/.well-known/mercure/subscriptions"

// "Subscription API" of both versions: who may read which address, and how it is refused.
func TestSubscriptionAPIAuthorisation(t *testing.T) {
	t.Parallel()
	p := conforming(t, "--subscriptions")
	matcher := "https://example.com/a/b?c=100%"
	p.Subscribe(t, "match="+enc(matcher)+"&topic="+enc(matcher))
	p.AwaitMetric(t, "mercure_updates_total", "2")
	encoded := "https%3A%2F%2Fexample.com%2Fa%2Fb%3Fc%3D100%25"

	zero := func(selectors ...string) string { return hubtest.Token(t, nil, selectors) }
	one := func(matchers ...object) string {
		topics := make([]any, len(matchers))
		for i, m := range matchers {
			topics[i] = m
		}
		return forge(t, accessType(), access(object{"authorization_details": []any{object{
			"type": "https://mercure.rocks/authorization-detail", "actions": []string{"subscribe"}, "topics": topics,
		}}}))
	}
	everything := one(object{"match": "*"})
	for _, test := range []struct {
		name, path, token string
		status            int
		code              string
	}{
		{"no token", "", "", 401, ""},
		{"a token that fails", "", "x.y.z", 401, "invalid_token"},
		{"1.0: the collection, exactly", "", one(object{"match": allSubscriptions}), 200, ""},
		{"1.0: the collection, with a query", "?limit=5", one(object{"match": allSubscriptions}), 200, ""},
		{"1.0: exact is no prefix", "/exact/" + encoded, one(object{"match": allSubscriptions}), 403, "insufficient_scope"},
		{"1.0: exact, in the form of the request", "/exact/" + encoded, one(object{"match": allSubscriptions + "/exact/" + encoded}), 200, ""},
		{"1.0: exact is never absolute", "", one(object{"match": p.URL + "/subscriptions"}), 403, "insufficient_scope"},
		{"1.0: relative URL pattern", "/exact/" + encoded, one(object{"match": allSubscriptions + "/:type/:match", "match_type": "urlpattern"}), 200, ""},
		{"1.0: absolute URL pattern", "/exact/" + encoded, one(object{"match": p.URL + "/subscriptions/:type/:match", "match_type": "urlpattern"}), 200, ""},
		{"1.0: URL pattern of another host", "", one(object{"match": "https://other.example" + allSubscriptions, "match_type": "urlpattern"}), 403, "insufficient_scope"},
		{"1.0: the wildcard", "/exact/" + encoded, everything, 200, ""},
		{"1.0: the action publish", "", forge(t, accessType(), access(object{"authorization_details": []any{detail("publish")}})), 403, "insufficient_scope"},
		{"1.0: no such subscription", "/exact/" + encoded + "/nobody", everything, 404, ""},
		{"1.0: no such subscription and no grant", "/exact/" + encoded + "/nobody", one(object{"match": "x"}), 403, "insufficient_scope"},
		{"1.0: a matcher that nobody has is an empty collection", "/exact/nobody", everything, 200, ""},
		{"0.x: the collection", "", zero(allSubscriptions), 200, ""},
		{"0.x: a template", "/" + encoded, zero(allSubscriptions + "/{topic}"), 200, ""},
		{"0.x: the template of single subscriptions", "/" + encoded, zero(allSubscriptions + "/{topic}/{subscriber}"), 403, "insufficient_scope"},
		{"0.x: the wildcard", "/" + encoded, zero("*"), 200, ""},
		{"0.x: no subscribe key", "", hubtest.Token(t, []string{"*"}, nil), 403, "insufficient_scope"},
		{"0.x: no such subscription", "/" + encoded + "/nobody", zero("*"), 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			if test.token != "" {
				h.Set("Authorization", "Bearer "+test.token)
			}
			want := ""
			if test.status == 401 || test.status == 403 {
				want = challengeOf(p, test.code)
			}
			a := ask(t, http.MethodGet, p.URL+"/subscriptions"+test.path, "", h)
			if got := a.Header.Get("WWW-Authenticate"); a.Status != test.status || got != want {
				t.Fatalf("answer is %d %q, want %d %q", a.Status, got, test.status, want)
			}
			if a.Status != http.StatusOK {
				return
			}
			if d := decode(t, a.Body); !strings.HasSuffix(test.path, "/nobody") && len(d.All) == 0 || strings.Contains(d.ID, "?") {
				t.Errorf("document is %s", a.Body)
			}
		})
	}
}

var cursorOfLink = regexp.MustCompile(`^<([^>]*)>; rel="mercure"; last-event-id="((?:[^"\\]|\\.)*)"; type="mercure"; content-type="application/json"$`)

// "Subscription API": the cursor leads on to the subscription events without a gap, in both versions.
func TestSubscriptionAPICursor(t *testing.T) {
	t.Parallel()
	p := conforming(t, "--subscriptions", "--cors-origins=https://app.example")
	oneZero := []string{"Authorization", "Bearer " + forge(t, accessType(), access(nil)), "Origin", "https://app.example"}
	classic := []string{"Authorization", "Bearer " + hubtest.Token(t, nil, []string{"*"})}
	api := p.URL + "/subscriptions"

	read := func() (v1, v0 string) {
		t.Helper()
		a := hubtest.Do(t, http.MethodGet, api, "", oneZero...)
		found := cursorOfLink.FindStringSubmatch(a.Header.Get("Link"))
		if found == nil || found[1] != p.URL {
			t.Fatalf("link is %s", a.Header.Get("Link"))
		}
		if !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "Link") {
			t.Error("pages of other origins cannot read the link")
		}
		return found[2], decode(t, hubtest.Do(t, http.MethodGet, api, "", classic...).Body).LastID
	}
	if v1, v0 := read(); v1 != "earliest" || v0 != "earliest" {
		t.Errorf("cursors of an empty history are %q and %q", v1, v0)
	}
	p.Subscribe(t, "match=before&topic=before")
	p.AwaitMetric(t, "mercure_updates_total", "2")
	v1, v0 := read()
	p.Subscribe(t, "match=after&topic="+enc("after/{id}"))
	for cursor, query := range map[string]string{
		"&last_event_id=" + enc(v1): "match_urlpattern=" + enc(allSubscriptions+"/*"),
		"&lastEventID=" + enc(v0):   "topic=" + enc(allSubscriptions+"/{topic}/{subscriber}") + "&topic=" + enc(allSubscriptions+"/exact/{match}/{subscriber}"),
	} {
		s := p.Subscribe(t, query+cursor, oneZero...)
		seen := map[string]bool{}
		for range 2 {
			e := s.Next(t)
			d := decode(t, e.Data)
			seen[d.Match+d.Topic] = d.Active
			checkSingle(t, p, e.Data, oneZero, classic)
		}
		if !seen["after"] || !seen["after/{id}"] {
			t.Errorf("%s: after the cursor came %v", query, seen)
		}
	}

	// Publishers choose ids, and quotes do not end the attribute.
	p.Publish(t, url.Values{"topic": {"t"}, "id": {`a"; rel="self\`}})
	if v1, v0 := read(); v1 != `a\"; rel=\"self\\` || v0 != `a"; rel="self\` {
		t.Errorf("cursors with quotes are %s and %s", v1, v0)
	}
}

// checkSingle reads the subscription that an event is about: the document is the event's, in 0.x with
// the cursor added; in 1.0 the cursor is in the link.
func checkSingle(t *testing.T, p *hubtest.Process, event string, oneZero, classic []string) {
	t.Helper()
	d := decode(t, event)
	token, mediaType := oneZero, "application/json"
	if d.Type == "Subscription" {
		token, mediaType = classic, "application/ld+json"
	}
	a := hubtest.Do(t, http.MethodGet, strings.TrimSuffix(p.URL, "/.well-known/mercure")+d.ID, "", token...)
	got := decode(t, a.Body)
	if a.Header.Get("Content-Type") != mediaType || !strings.HasPrefix(a.Header.Get("Link"), "<"+p.URL+`>; rel="mercure"`) {
		t.Errorf("%s: %v", d.ID, a.Header)
	}
	want := event
	if d.Type == "Subscription" {
		want = strings.TrimSuffix(event, "}") + `,"lastEventID":"` + got.LastID + `"}`
	} else if !cursorOfLink.MatchString(a.Header.Get("Link")) {
		t.Errorf("link is %s", a.Header.Get("Link"))
	}
	if a.Body != want || d.Type == "Subscription" && !strings.HasPrefix(got.LastID, "urn:uuid:") {
		t.Errorf("document is %s, the event was %s", a.Body, event)
	}
}

// "Subscription Events" and "Payloads": the hub alone names the subscriber, each stream anew, with one name
// for all matchers of the stream; the payload is that of the token.
func TestSubscribersAndPayloads(t *testing.T) {
	t.Parallel()
	p := conforming(t, "--subscriptions")
	token := forge(t, accessType(), access(object{"sub": "alice", "authorization_details": []any{
		object{"type": "https://mercure.rocks/authorization-detail", "actions": []string{"publish"}, "topics": []any{object{"match": "*"}}, "payload": object{"no": "subscribe action"}},
		object{"type": "https://mercure.rocks/authorization-detail", "actions": []string{"subscribe"}, "topics": []any{object{"match": "a"}}, "payload": object{"of": "a"}},
		object{"type": "https://mercure.rocks/authorization-detail", "actions": []string{"subscribe"}, "topics": []any{object{"match": "*"}}, "payload": object{"of": "others"}},
	}}))
	classic := forge(t, object{"alg": "HS256"}, object{"mercure": object{"subscribe": []string{"*"}, "payload": object{"of": "0.x"}}})
	for range 2 {
		p.Subscribe(t, "match=a&match=b&match=a&subscriber=mallory", "Authorization", "Bearer "+token, "Subscriber", "mallory")
	}
	p.Subscribe(t, "topic=c&topic="+enc("c/{id}"), "Authorization", "Bearer "+classic)
	p.Subscribe(t, "topic=d")
	p.AwaitMetric(t, "mercure_updates_total", "7")

	all := decode(t, hubtest.Do(t, http.MethodGet, p.URL+"/subscriptions", "", "Authorization", "Bearer "+token).Body).All
	matchers := map[string][]string{}
	payloads := map[string]string{}
	for _, d := range all {
		matchers[d.Subscriber] = append(matchers[d.Subscriber], d.Match+d.Topic)
		payloads[d.Match+d.Topic] = string(d.Payload)
		if !strings.HasPrefix(d.Subscriber, "urn:uuid:") || strings.Contains(d.ID, "mallory") {
			t.Errorf("subscriber is %q", d.Subscriber)
		}
	}
	if len(all) != 7 || len(matchers) != 4 {
		t.Errorf("subscriptions by subscriber are %v", matchers)
	}
	for matcher, want := range map[string]string{"a": `{"of":"a"}`, "b": `{"of":"others"}`, "c": `{"of":"0.x"}`, "c/{id}": `{"of":"0.x"}`, "d": ""} {
		if payloads[matcher] != want {
			t.Errorf("payload of %s is %s, want %s", matcher, payloads[matcher], want)
		}
	}
	// Events are for those who have a grant, and come with the type of 1.0 or, in 0.x, without one.
	p.PublishData(t, "public", "public")
	p.Subscribe(t, "match=*&last_event_id=earliest").Expect(t, "public")
	s := p.Subscribe(t, "match=*&last_event_id=earliest", "Authorization", "Bearer "+classic)
	for range 7 {
		e := s.Next(t)
		if d := decode(t, e.Data); (e.Type == "mercure") != (d.Type == "subscription") || e.Type != "" && e.Type != "mercure" {
			t.Errorf("event of type %q for %s", e.Type, e.Data)
		}
	}
}

// The feature is optional, and a hub without it does not pretend to have it.
func TestSubscriptionsTurnedOff(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	token := "Bearer " + forge(t, accessType(), access(nil))
	p.Subscribe(t, "match=a", "Authorization", token)
	if a := hubtest.Do(t, http.MethodGet, p.URL+"/subscriptions", "", "Authorization", token); a.Status != http.StatusNotFound {
		t.Errorf("subscription API: %d", a.Status)
	}
	p.PublishData(t, "b", "first")
	p.Subscribe(t, "match=*&last_event_id=earliest", "Authorization", token).Expect(t, "first")
}
