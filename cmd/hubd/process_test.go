package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/internal/hubtest/engines"
	"hubd/mercure"
)

func TestMain(m *testing.M) {
	engines.ServeNATS()
	code := m.Run()
	hubtest.Clean()
	if code == 0 {
		// fasthttp's sweeper of idle workers ends within ten seconds of its server and cannot be joined.
		if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

const topic = "https://example.com/books/1"

func enc(s string) string { return url.QueryEscape(s) }

func TestPublishReachesSubscribersOfBothDialects(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	streams := map[string]*hubtest.Stream{}
	for _, query := range []string{
		"topic=" + enc(topic),
		"topic=" + enc("https://example.com/books/{id}"),
		"topic=*",
		"match=" + enc(topic),
		"match_exact=" + enc(topic),
		"match_urlpattern=" + enc("https://example.com/books/:id"),
		"match=" + enc("https://example.com/other") + "&match_urlpattern=" + enc("https://example.com/:kind/1") + "&topic=" + enc(topic),
	} {
		streams[query] = p.Subscribe(t, query)
	}
	id := p.Publish(t, url.Values{"topic": {topic}, "data": {"one\ntwo"}, "type": {"news"}})
	p.PublishData(t, "https://example.com/unrelated", "not for them")
	p.PublishData(t, topic, "last")
	for query, s := range streams {
		e := s.Next(t)
		if e.Data != "one\ntwo" || e.LastEventID != id || e.Type != "news" {
			t.Errorf("%s: event is %+v, want id %s", query, e, id)
		}
		if e = s.Next(t); query == "topic=*" && e.Data == "not for them" {
			e = s.Next(t)
		}
		if e.Data != "last" {
			t.Errorf("%s: second event is %+v", query, e)
		}
	}
}

// I3 at the edge: a private update needs a grant, a public one does not.
func TestPrivateUpdates(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--issuer=https://issuer.example", "--audience=https://hub.example")
	v1 := hubtest.Mint(t, auth.MintOptions{
		Dialect: auth.V1, Issuer: "https://issuer.example", Audience: "https://hub.example",
		Issued: time.Now(), Expires: time.Now().Add(time.Hour),
		Subscribe: []mercure.Matcher{{Type: mercure.URLPattern, Pattern: "https://example.com/users/:id"}},
	})
	query := "topic=" + enc(topic)
	anonymous := p.Subscribe(t, query)
	other := p.Subscribe(t, query, "Authorization", "Bearer "+hubtest.Token(t, nil, []string{"https://example.com/books/2"}))
	granted := p.Subscribe(t, query, "Authorization", "Bearer "+hubtest.Token(t, nil, []string{"https://example.com/books/{id}"}))
	cookie := p.Subscribe(t, query, "Cookie", "mercureAuthorization="+hubtest.Token(t, nil, []string{topic}))
	alternate := p.Subscribe(t, query, "Authorization", "Bearer "+v1)
	p.Publish(t, url.Values{"topic": {topic, "https://example.com/users/7"}, "data": {"secret"}, "private": {""}})
	p.PublishData(t, topic, "public")
	anonymous.Expect(t, "public")
	other.Expect(t, "public")
	granted.Expect(t, "secret", "public")
	cookie.Expect(t, "secret", "public")
	alternate.Expect(t, "secret", "public")
	// The same holds for history.
	p.Subscribe(t, query+"&lastEventID=earliest").Expect(t, "public")
	p.Subscribe(t, query+"&last_event_id=earliest", "Authorization", "Bearer "+v1).Expect(t, "secret", "public")
}

// I1 and I2 across a restart: what was acknowledged is there, in order, before anything new is published.
func TestResumeAfterRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := hubtest.Start(t, dir, "--anonymous", "--drain=0s")
	ids := make([]string, 50)
	want := make([]string, 50)
	for i := range ids {
		want[i] = fmt.Sprint("update ", i)
		form := url.Values{"topic": {topic}, "data": {want[i]}}
		if i%3 == 0 {
			form.Set("id", fmt.Sprint("urn:example:", i))
		}
		ids[i] = p.Publish(t, form)
	}
	p.Stop(t)

	p = hubtest.Start(t, dir, "--anonymous", "--drain=0s")
	for _, from := range []int{0, 9, 10, 47} {
		s := p.Subscribe(t, "topic="+enc(topic), "Last-Event-ID", ids[from])
		s.Expect(t, want[from+1:]...)
		for _, name := range []string{"Last-Event-ID", "Mercure-Last-Event-ID"} {
			if got := s.Header.Get(name); got != ids[from] {
				t.Errorf("%s is %q, want %q", name, got, ids[from])
			}
		}
	}
	newest := p.Subscribe(t, "topic="+enc(topic), "Last-Event-ID", ids[49])
	all := p.Subscribe(t, "match="+enc(topic)+"&last_event_id=earliest")
	all.Expect(t, want...)
	unknown := p.Subscribe(t, "topic="+enc(topic)+"&lastEventID=urn:example:nowhere")
	if notice := unknown.Next(t); notice.Type != "hubd-gap" {
		t.Errorf("an unknown cursor is not told of the gap, but %+v", notice)
	}
	unknown.Expect(t, want...)
	if got := unknown.Header.Get("Mercure-Last-Event-ID"); got != mercure.Earliest {
		t.Errorf("header for an unknown id is %q", got)
	}
	p.PublishData(t, topic, "new")
	for _, s := range []*hubtest.Stream{newest, all, unknown} {
		s.Expect(t, "new")
	}
}

// The header beats the parameters, and the form without a cursor gets no header.
func TestCursorPrecedence(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	a := p.PublishData(t, topic, "a")
	b := p.PublishData(t, topic, "b")
	p.PublishData(t, topic, "c")
	p.Subscribe(t, "topic="+enc(topic)+"&lastEventID="+enc(a), "Last-Event-ID", b).Expect(t, "c")
	p.Subscribe(t, "match="+enc(topic)+"&last_event_id="+enc(b)).Expect(t, "c")
	if s := p.Subscribe(t, "topic="+enc(topic)); s.Header.Get("Mercure-Last-Event-ID") != "" {
		t.Error("a stream that asked for no cursor was told one")
	}
}

func TestQueryMethodTakesTheUnion(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	p.PublishData(t, "in-query", "1")
	p.PublishData(t, "in-body", "2")
	p.PublishData(t, "elsewhere", "3")
	s := p.Query(t, "match=in-query", "match=in-body&last_event_id=earliest")
	s.Expect(t, "1", "2")
}

func TestDrainEndsEveryStreamAndExitsZero(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=500ms")
	var streams []*hubtest.Stream
	for range 20 {
		streams = append(streams, p.Subscribe(t, "topic=*"))
	}
	p.PublishData(t, topic, "before")
	p.Signal(t, syscall.SIGTERM)
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(func() {
			events := s.AwaitEnd(t)
			if len(events) == 0 || events[0].Data != "before" {
				t.Errorf("stream ended with %v", events)
			}
		})
	}
	wg.Wait()
	if code := p.Wait(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
}

// A hub whose store another process holds is alive and not ready, serves once it has the store, and
// ends cleanly if it is asked to while it waits.
func TestHeldStoreIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := hubtest.Start(t, dir, "--anonymous", "--drain=0s", "--no-handover")
	id := holder.PublishData(t, topic, "from the holder")

	impatient := hubtest.Launch(t, dir, "--store-wait=100ms")
	impatient.AwaitLog(t, "waiting for the store")
	if code := impatient.Wait(t); code != 1 || !strings.Contains(impatient.Log(), "--store-wait") {
		t.Errorf("an impatient hub ended with code %d:\n%s", code, impatient.Log())
	}
	asked := hubtest.Launch(t, dir)
	asked.AwaitLog(t, "waiting for the store")
	asked.Stop(t)

	heir := hubtest.Launch(t, dir, "--anonymous")
	heir.AwaitLog(t, "waiting for the store")
	holder.PublishData(t, topic, "last words")
	holder.Stop(t)
	heir.AwaitServing(t)
	heir.Subscribe(t, "topic="+enc(topic), "Last-Event-ID", id).Expect(t, "last words")
}

func TestProbesAndMetrics(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	base := strings.TrimSuffix(p.URL, "/.well-known/mercure")
	for _, page := range []string{base + "/healthz", p.Admin + "/livez", p.Admin + "/readyz", p.Admin + "/debug/pprof/"} {
		if status, body := hubtest.Get(t, page); status != http.StatusOK {
			t.Errorf("%s: status %d: %s", page, status, body)
		}
	}
	s := p.Subscribe(t, "topic=*")
	p.PublishData(t, topic, "x")
	s.Expect(t, "x")
	for name, want := range map[string]string{
		"mercure_subscribers_connected":           "1",
		"mercure_subscribers_total":               "1",
		"mercure_updates_total":                   "1",
		"hubd_deliveries_total":                   "1",
		"hubd_publish_seconds_count":              "1",
		"hubd_delivery_seconds_count":             "1",
		"hubd_store_commit_seconds_count":         "1",
		"hubd_store_batch_events_count":           "1",
		"hubd_store_waiting":                      "0",
		"hubd_queue_bytes":                        "0",
		"hubd_catchup_streams":                    "0",
		"hubd_replay_events_total":                "0",
		"hubd_replay_misses_total":                "0",
		"hubd_topics":                             "1",
		"hubd_selector_cache_hits":                "0",
		"hubd_selector_cache_misses":              "0",
		"hubd_selector_cache_cost_bytes":          "0",
		`hubd_disconnects_total{reason="client"}`: "0",
	} {
		if got := p.Metric(t, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if p.Metric(t, name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
}
