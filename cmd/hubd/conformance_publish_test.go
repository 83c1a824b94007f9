package main

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

// frames returns the next n events of a stream as they came over the wire, comments left out.
func frames(t *testing.T, p *hubtest.Process, query string, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"?"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("status %d, content type %q", res.StatusCode, got)
	}
	var text strings.Builder
	for in := bufio.NewReader(res.Body); n > 0; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("stream ended after %q: %v", text.String(), err)
		}
		if strings.HasPrefix(line, ":") {
			continue
		}
		if text.WriteString(line); line == "\n" {
			n--
		}
	}
	return text.String()
}

// "Publication" of both versions, as publishers and subscribers see it.
func TestPublication(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	token := http.Header{"Authorization": {"Bearer " + hubtest.Token(t, []string{"*"}, nil)}}
	publish := func(t *testing.T, body string) hubtest.Answer {
		t.Helper()
		return ask(t, http.MethodPost, p.URL, body, token)
	}

	t.Run("response is 200 and the id alone", func(t *testing.T) {
		t.Parallel()
		a := publish(t, "topic=response&data=x")
		if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("answer is %d %v", a.Status, a.Header)
		}
		// The hub makes an IRI.
		if !strings.HasPrefix(a.Body, "urn:uuid:") || len(a.Body) != len("urn:uuid:00000000-0000-0000-0000-000000000000") {
			t.Errorf("body is %q", a.Body)
		}
		if want := "id: " + a.Body + "\ndata: x\n\n"; frames(t, p, "match=response&last_event_id=earliest", 1) != want {
			t.Errorf("the event has another id than %q", a.Body)
		}
	})
	t.Run("id of the publisher is used and returned", func(t *testing.T) {
		t.Parallel()
		if a := publish(t, "topic=own-id&id="+enc("https://example.com/é?revision=2")); a.Body != "https://example.com/é?revision=2" {
			t.Errorf("body is %q", a.Body)
		}
		if got := frames(t, p, "match=own-id&last_event_id=earliest", 1); got != "id: https://example.com/é?revision=2\ndata: \n\n" {
			t.Errorf("event is %q", got)
		}
	})
	t.Run("type and retry pass through", func(t *testing.T) {
		t.Parallel()
		publish(t, "topic=properties&id=p&type=price+changed&retry=1500&data=x")
		if got := frames(t, p, "match=properties&last_event_id=earliest", 1); got != "id: p\nevent: price changed\nretry: 1500\ndata: x\n\n" {
			t.Errorf("event is %q", got)
		}
	})
	t.Run("data is split on CR, LF and CRLF", func(t *testing.T) {
		t.Parallel()
		publish(t, "topic=lines&id=l&data="+enc("a\rb\nc\r\nd\n\revent: forged\nid: forged"))
		want := "id: l\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: event: forged\ndata: id: forged\n\n"
		if got := frames(t, p, "match=lines&last_event_id=earliest", 1); got != want {
			t.Errorf("event is %q", got)
		}
	})
	t.Run("unknown fields are ignored", func(t *testing.T) {
		t.Parallel()
		if a := publish(t, "topic=unknown&colour=red&Topic=*&PRIVATE=on&match=x&id=u&event=forged"); a.Status != http.StatusOK {
			t.Errorf("answer is %d %s", a.Status, a.Body)
		}
		if got := frames(t, p, "match=unknown&last_event_id=earliest", 1); got != "id: u\ndata: \n\n" {
			t.Errorf("event is %q", got)
		}
	})
	t.Run("private whatever its value", func(t *testing.T) {
		t.Parallel()
		for _, field := range []string{"private", "private=", "private=on", "private=off", "private=0", "private=false"} {
			if a := publish(t, "topic=private&data=secret&"+field); a.Status != http.StatusOK {
				t.Errorf("%s: %d %s", field, a.Status, a.Body)
			}
		}
		publish(t, "topic=private&data=public")
		p.Subscribe(t, "match=private&last_event_id=earliest").Expect(t, "public")
	})
	t.Run("media type in another case and with a parameter", func(t *testing.T) {
		t.Parallel()
		h := token.Clone()
		h.Set("Content-Type", "Application/X-WWW-Form-URLEncoded; charset=UTF-8")
		if a := ask(t, http.MethodPost, p.URL, "topic=media-type", h); a.Status != http.StatusOK {
			t.Errorf("answer is %d %s", a.Status, a.Body)
		}
	})
}

// "Publication" and "Subscription": an update reaches those who match its canonical topic or an alternate one,
// and reaches each of them once, however many matchers select it.
func TestOneDeliveryForEachUpdate(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	streams := map[string]*hubtest.Stream{}
	for _, query := range []string{
		"match=once/1", "match=once/2", "topic=once/2",
		"match=once/1&match_exact=once/1&match=once/2&match_urlpattern=" + enc("/.well-known/once/:n") + "&topic=" + enc("once/{n}"),
	} {
		streams[query] = p.Subscribe(t, query)
	}
	p.Publish(t, url.Values{"topic": {"once/1", "once/2", "once/1"}, "data": {"first"}})
	p.Publish(t, url.Values{"topic": {"once/1", "once/2"}, "data": {"second"}})
	for query, s := range streams {
		if a, b := s.Next(t).Data, s.Next(t).Data; a != "first" || b != "second" {
			t.Errorf("%s: received %q, %q", query, a, b)
		}
	}
}

// "Publication" and "Reserved Hub Namespace": the rule is about the resolved path, for every topic of the
// update, and holds for those who may publish everything. "Matcher Types": "*" is nobody's name.
func TestReservedTopics(t *testing.T) {
	t.Parallel()
	p := conforming(t)
	for version, token := range map[string]string{
		"1.0": forge(t, accessType(), access(nil)), "0.x": hubtest.Token(t, []string{"*"}, nil),
	} {
		publish := func(topics ...string) int {
			return ask(t, http.MethodPost, p.URL, url.Values{"topic": topics}.Encode(), http.Header{"Authorization": {"Bearer " + token}}).Status
		}
		for _, topic := range []string{
			"*", "/.well-known/mercure", "/.well-known/mercure/subscriptions/exact/a/b",
			p.URL + "/subscriptions/exact/a/b", "https://other.example/.well-known/mercure/x", "foo://x/.well-known/mercure",
			"//other.example/.well-known/mercure/x", "/.well-known/%6Dercure/x", "/%2Ewell-known/mercure",
			"/.well-known/mercure/../mercure/x", "/a/%2e%2E/.well-known/mercure", "mercure/x", "?x", `\.well-known\mercure`,
			"/.well-known/mercure?x", "/.well-known/mer\u00adcure/x",
		} {
			if status := publish(topic); status != http.StatusBadRequest {
				t.Errorf("%s: topic %q: %d", version, topic, status)
			}
			if status := publish("https://example.com/", topic); status != http.StatusBadRequest {
				t.Errorf("%s: alternate topic %q: %d", version, topic, status)
			}
		}
		for _, topic := range []string{
			"/.well-known/mercure2", "/.well-known/mercure/../x", "/x?/.well-known/mercure", "https://[/.well-known/mercure", "/a*", "**",
		} {
			if status := publish(topic); status != http.StatusOK {
				t.Errorf("%s: topic %q: %d", version, topic, status)
			}
		}
	}
	// Both rules come before the token's scope.
	h := http.Header{"Authorization": {"Bearer " + hubtest.Token(t, []string{"a"}, nil)}}
	for _, topic := range []string{"*", "/.well-known/mercure/x", "https://other.example/.well-known/%6Dercure"} {
		if a := ask(t, http.MethodPost, p.URL, "topic=a&topic="+enc(topic), h); a.Status != http.StatusBadRequest {
			t.Errorf("topic %q without the scope: %d", topic, a.Status)
		}
	}
}
