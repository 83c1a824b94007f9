package hubtest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"hubd/auth"
	"hubd/mercure"
)

// client has no connection to share: each request of a test stands for a client of its own.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Token returns a 0.x token signed with Secret that grants the selectors.
func Token(t testing.TB, publish, subscribe []string) string {
	t.Helper()
	return Mint(t, auth.MintOptions{Dialect: auth.V0, Publish: matchers(publish), Subscribe: matchers(subscribe)})
}

// Mint returns a token signed with Secret.
func Mint(t testing.TB, o auth.MintOptions) string {
	t.Helper()
	o.Key = auth.Key{Material: []byte(Secret)}
	token, err := auth.Mint(o)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func matchers(patterns []string) []mercure.Matcher {
	ms := make([]mercure.Matcher, len(patterns))
	for i, pattern := range patterns {
		ms[i] = mercure.Matcher{Type: mercure.Template, Pattern: pattern}
	}
	return ms
}

// Client returns a client that reaches the hub and, unlike those of the methods, keeps its connections open.
func (p *Process) Client() *http.Client {
	transport := &http.Transport{}
	if shared, ok := p.speaker().Transport.(*http.Transport); ok {
		transport.DialContext = shared.DialContext
	}
	return &http.Client{Transport: transport}
}

// Answer is a response that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do sends a request and reads the answer.
func Do(t testing.TB, method, url, body string, headers ...string) Answer {
	t.Helper()
	return do(t, client, method, url, body, headers)
}

func do(t testing.TB, client *http.Client, method, url, body string, headers []string) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	res := send(ctx, t, client, method, url, body, headers)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading the answer of %s %s: %v", method, url, err)
	}
	return Answer{res.StatusCode, res.Header, string(text)}
}

// send sends a request; headers are names and values in turn.
func send(ctx context.Context, t testing.TB, client *http.Client, method, url, body string, headers []string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res
}

// TryPublish publishes data to a topic with a token for every topic, and returns whatever the hub answers.
func (p *Process) TryPublish(t testing.TB, topic, data string) Answer {
	t.Helper()
	return p.publish(t, url.Values{"topic": {topic}, "data": {data}})
}

func (p *Process) publish(t testing.TB, form url.Values) Answer {
	t.Helper()
	return do(t, p.speaker(), http.MethodPost, p.URL, form.Encode(), []string{"Authorization", "Bearer " + Token(t, []string{"*"}, nil)})
}

// Publish publishes the form to the hub with a token for every topic, and returns the update's id.
func (p *Process) Publish(t testing.TB, form url.Values) string {
	t.Helper()
	a := p.publish(t, form)
	if a.Status != http.StatusOK {
		t.Fatalf("publishing %v: status %d: %s", form, a.Status, a.Body)
	}
	return a.Body
}

// PublishData publishes data to a topic and returns the update's id.
func (p *Process) PublishData(t testing.TB, topic, data string) string {
	t.Helper()
	return p.Publish(t, url.Values{"topic": {topic}, "data": {data}})
}

// Stream is an open subscription, read by a client library that this project did not write.
type Stream struct {
	Header http.Header

	events chan sse.Event
	cancel context.CancelFunc
}

// Subscribe opens a stream. The query is as in "topic=...&match=...".
func (p *Process) Subscribe(t testing.TB, query string, headers ...string) *Stream {
	t.Helper()
	return p.stream(t, http.MethodGet, query, "", headers)
}

// Query opens a stream by the method QUERY, which has a body.
func (p *Process) Query(t testing.TB, query, body string, headers ...string) *Stream {
	t.Helper()
	return p.stream(t, "QUERY", query, body, headers)
}

func (p *Process) stream(t testing.TB, method, query, body string, headers []string) *Stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	res := send(ctx, t, p.speaker(), method, p.URL+"?"+query, body, headers)
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		cancel()
		t.Fatalf("subscribing to %s: status %d: %s", query, res.StatusCode, body)
	}
	s := &Stream{Header: res.Header, events: make(chan sse.Event, 64), cancel: cancel}
	go func() {
		defer close(s.events)
		defer func() { _ = res.Body.Close() }()
		for e, err := range sse.Read(res.Body, nil) {
			if err != nil {
				return
			}
			select {
			case s.events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(s.Close)
	return s
}

// Next returns the next event.
func (s *Stream) Next(t testing.TB) sse.Event {
	t.Helper()
	select {
	case e, open := <-s.events:
		if !open {
			t.Fatal("stream ended before its next event")
		}
		return e
	case <-time.After(Patience):
		t.Fatal("no event came")
	}
	return sse.Event{}
}

// Expect demands that the next events have these data, in this order.
func (s *Stream) Expect(t testing.TB, data ...string) {
	t.Helper()
	for i, want := range data {
		if got := s.Next(t); got.Data != want {
			t.Fatalf("event %d has data %q, want %q", i, got.Data, want)
		}
	}
}

// AwaitEnd waits for the hub to end the stream and returns the events that came until then.
func (s *Stream) AwaitEnd(t testing.TB) []sse.Event {
	t.Helper()
	var rest []sse.Event
	patience := time.After(Patience)
	for {
		select {
		case e, open := <-s.events:
			if !open {
				return rest
			}
			rest = append(rest, e)
		case <-patience:
			t.Fatal("stream did not end")
		}
	}
}

// Close hangs up and waits for the reader.
func (s *Stream) Close() {
	s.cancel()
	for range s.events {
	}
}
