package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hubd/internal/hubtest"
	"hubd/mercure"
)

// "Subscription": what a request to subscribe may not carry, in the query and in the body of a QUERY alike.
func TestRefusedSubscriptionRequests(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	for name, parameters := range map[string]string{
		"unknown matcher type":           "match=a&match_regexp=a",
		"type of a later specification":  "match=a&match_cel=a",
		"misspelled type":                "match=a&match_urlpatern=a",
		"type in another case":           "match=a&match_URLPattern=/a",
		"name in another case":           "match=a&Match=a",
		"name in capitals":               "match=a&MATCH_EXACT=a",
		"name that only begins like it":  "match=a&matching=yes",
		"name with brackets":             "match[]=a",
		"percent-encoded name":           "match=a&%6Datchbox=a",
		"reserved name without a value":  "match=a&matchbox",
		"name without a value":           "match",
		"C0 control":                     "match=a%1F",
		"DEL":                            "match=a%7F",
		"C1 control":                     "match=a%C2%85",
		"format character":               "match=a%E2%80%8B",
		"not UTF-8":                      "match=%FF",
		"control in a URL pattern":       "match_urlpattern=/a%00",
		"control in a topic selector":    "topic=a%0Ab",
		"URL pattern that is ill-formed": "match_urlpattern=" + enc("https://example.com/("),
		"pattern that is too long":       "match=" + strings.Repeat("a", 5000),
		"no matcher":                     "last_event_id=earliest",
	} {
		if a := ask(t, http.MethodGet, p.URL+"?"+parameters, "", nil); a.Status != http.StatusBadRequest {
			t.Errorf("%s in the query: %d %s", name, a.Status, a.Body)
		}
		if a := ask(t, "QUERY", p.URL, parameters, nil); a.Status != http.StatusBadRequest {
			t.Errorf("%s in the body: %d %s", name, a.Status, a.Body)
		}
	}
	// The body has one encoding.
	h := http.Header{"Content-Type": {"application/json"}}
	if a := ask(t, "QUERY", p.URL+"?match=a", `{"match":"b"}`, h); a.Status != http.StatusBadRequest {
		t.Errorf("JSON in the body: %d", a.Status)
	}
}

// "Subscription" and "Matcher Types": what a request may carry, and what its matchers select.
func TestSubscriptionRequest(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	t.Run("unrelated parameters are ignored", func(t *testing.T) {
		t.Parallel()
		s := p.Subscribe(t, "match=unrelated&mat=1&xmatch=2&subscriber=me&id=3")
		p.PublishData(t, "unrelated", "x")
		s.Expect(t, "x")
	})
	t.Run("form-urlencoded names and values", func(t *testing.T) {
		t.Parallel()
		s := p.Subscribe(t, "%6Datch=a%2Bb+c%26d%3D%25;e")
		p.PublishData(t, "a+b c&d=%;e", "x")
		s.Expect(t, "x")
	})
	t.Run("an asterisk matches every topic, whatever the type", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"match", "match_exact", "match_urlpattern", "topic"} {
			s := p.Subscribe(t, name+"=*")
			p.PublishData(t, "https://[no URL", "asterisk "+name)
			for s.Next(t).Data != "asterisk "+name { // others publish too
			}
		}
	})
	t.Run("exact is byte for byte, URL patterns resolve", func(t *testing.T) {
		t.Parallel()
		exact := p.Subscribe(t, "match="+enc("/type/:id"))
		pattern := p.Subscribe(t, "match_urlpattern="+enc("/type/:id"))
		absolute := strings.TrimSuffix(p.URL, "/.well-known/mercure") + "/type/2"
		p.PublishData(t, "/type/1", "relative")
		p.PublishData(t, absolute, "absolute")
		p.PublishData(t, "https://other.example/type/3", "elsewhere")
		p.PublishData(t, "/Type/4", "another case")
		p.PublishData(t, "/type/:id", "literal")
		exact.Expect(t, "literal")
		pattern.Expect(t, "relative", "absolute", "literal")
	})
	t.Run("QUERY takes the union", func(t *testing.T) {
		t.Parallel()
		s := p.Query(t, "match=union/1&topic="+enc("union/x/{id}"), "match=union/2&match_urlpattern="+enc("/.well-known/union/u/:id"))
		for _, topic := range []string{"union/1", "union/3", "union/2", "union/u/1", "union/x/1"} {
			p.PublishData(t, topic, topic)
		}
		s.Expect(t, "union/1", "union/2", "union/u/1", "union/x/1")
	})
	t.Run("QUERY without a body", func(t *testing.T) {
		t.Parallel()
		s := p.Query(t, "match=no-body", "")
		p.PublishData(t, "no-body", "x")
		s.Expect(t, "x")
	})
}

// "Reconnection, State Reconciliation, and Event Sourcing" of both versions.
func TestReconciliation(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	// Before anything was published there is no event that precedes.
	empty := p.Subscribe(t, "match=t", "Last-Event-ID", "urn:example:nowhere")
	if notice := empty.Next(t); notice.Type != "hubd-gap" {
		t.Errorf("no gap notice, but %+v", notice)
	}
	onEmpty := []*hubtest.Stream{empty, p.Subscribe(t, "match=t&last_event_id=earliest"), p.Subscribe(t, "topic=t&lastEventID=earliest")}
	a, b := p.PublishData(t, "t", "a"), p.PublishData(t, "other", "b")
	// An id is any text without controls, and travels in header fields both ways.
	c := p.Publish(t, url.Values{"topic": {"t"}, "data": {"c"}, "id": {`https://example.com/é?a="b", c\`}})
	for _, s := range onEmpty {
		checkCursor(t, s, mercure.Earliest)
		s.Expect(t, "a", "c")
	}
	for name, test := range map[string]struct {
		query, body, header string
		cursor              string
		want                []string
	}{
		"last_event_id":                       {"match=t&last_event_id=" + enc(a), "", "", a, []string{"c"}},
		"lastEventID":                         {"topic=t&lastEventID=" + enc(a), "", "", a, []string{"c"}},
		"the header":                          {"match=t", "", a, a, []string{"c"}},
		"an event of another topic":           {"match=t", "", b, b, []string{"c"}},
		"the header beats last_event_id":      {"match=t&match=other&last_event_id=" + enc(a), "", b, b, []string{"c"}},
		"the header beats lastEventID":        {"topic=t&topic=other&lastEventID=" + enc(a), "", b, b, []string{"c"}},
		"the query beats the body":            {"match=t&match=other&last_event_id=" + enc(a), "last_event_id=" + enc(c), "", a, []string{"b", "c"}},
		"the header beats query and body":     {"match=t&last_event_id=" + enc(c), "last_event_id=" + enc(c), a, a, []string{"c"}},
		"a cursor in the body, the rest not":  {"match=t", "last_event_id=" + enc(a), "", a, []string{"c"}},
		"a cursor in the query, the rest not": {"last_event_id=" + enc(a), "match=t", "", a, []string{"c"}},
		"an id beyond ASCII in the header":    {"match=t", "", c, c, nil},
		"an id beyond ASCII in the query":     {"match=t&last_event_id=" + enc(c), "", "", c, nil},
		"earliest in the header":              {"match=t", "", mercure.Earliest, mercure.Earliest, []string{"a", "c"}},
		"an unknown id, with a notice":        {"match=t", "", "urn:example:nowhere", mercure.Earliest, []string{`{"requested":"urn:example:nowhere","oldest":"` + a + `"}`, "a", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var headers []string
			if test.header != "" {
				headers = []string{"Last-Event-ID", test.header}
			}
			var s *hubtest.Stream
			if test.body != "" {
				s = p.Query(t, test.query, test.body, headers...)
			} else {
				s = p.Subscribe(t, test.query, headers...)
			}
			checkCursor(t, s, test.cursor)
			s.Expect(t, test.want...)
		})
	}
	t.Run("no cursor, no header and no history", func(t *testing.T) {
		t.Parallel()
		s := p.Subscribe(t, "match=quiet")
		checkCursor(t, s, "")
		p.PublishData(t, "quiet", "live")
		s.Expect(t, "live")
	})
}

// checkCursor compares the response fields of both versions.
func checkCursor(t *testing.T, s *hubtest.Stream, want string) {
	t.Helper()
	for _, name := range []string{"Mercure-Last-Event-ID", "Last-Event-ID"} {
		if got := s.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// "Reconnection": an id that was used again stands for the earliest of its updates, and everything
// after that one follows, the later ones of the same id included.
func TestReusedIDResolvesToTheEarliest(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	for _, data := range []string{"1", "2", "3", "4"} {
		form := url.Values{"topic": {"t"}, "data": {data}}
		if data != "3" {
			form.Set("id", "again")
		}
		p.Publish(t, form)
	}
	s := p.Subscribe(t, "match=t", "Last-Event-ID", "again")
	checkCursor(t, s, "again")
	s.Expect(t, "2", "3", "4")
}

// "Authorization on Event Replay": the token of the request decides, not that of an earlier stream.
func TestReplayIsAuthorisedAnew(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	first := p.PublishData(t, "t", "start")
	p.Publish(t, url.Values{"topic": {"t", "https://example.com/users/7"}, "data": {"secret"}, "private": {""}})
	p.PublishData(t, "t", "public")
	wide := hubtest.Token(t, nil, []string{"https://example.com/users/{id}"})
	narrow := hubtest.Token(t, nil, []string{"https://example.com/users/8"})
	for name, test := range map[string]struct {
		headers []string
		want    []string
	}{
		"granted by the alternate topic": {[]string{"Authorization", "Bearer " + wide}, []string{"secret", "public"}},
		"granted no more":                {[]string{"Authorization", "Bearer " + narrow}, []string{"public"}},
		"without a token":                {nil, []string{"public"}},
	} {
		s := p.Subscribe(t, "match=t&last_event_id="+enc(first), test.headers...)
		s.Expect(t, test.want...)
		p.Subscribe(t, "match=t&last_event_id=earliest", test.headers...).Expect(t, append([]string{"start"}, test.want...)...)
		if name != "granted by the alternate topic" {
			continue
		}
		// The matchers of a request never widen what it may read.
		p.Subscribe(t, "match=*&topic=*&match=t&last_event_id="+enc(first), "Authorization", "Bearer "+narrow).Expect(t, "public")
	}
}
