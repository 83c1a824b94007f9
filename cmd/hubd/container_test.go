//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// answers is what a publisher of a hub was answered that hands over and ends.
type answers struct {
	quit, done chan struct{}
	// begun is closed when some were acknowledged.
	begun chan struct{}
	// acknowledged are the data answered 200, in order; refused is how many were answered 503 with a time to come
	// back at, and dropped how many got no answer at all.
	acknowledged     []string
	refused, dropped int
	wrong            []string
}

// publishOn publishes numbers to a hub, each once: in turn on a connection that stays open, as a server's publisher
// has one, and on a new one.
func publishOn(t *testing.T, hub *hubtest.Process) *answers {
	t.Helper()
	a := &answers{quit: make(chan struct{}), done: make(chan struct{}), begun: make(chan struct{})}
	kept, fresh := hub.Client(), hub.Client()
	token := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	pause := time.NewTicker(5 * time.Millisecond) // a publisher that is refused does not insist
	go func() {
		defer close(a.done)
		defer cancel()
		defer kept.CloseIdleConnections()
		defer pause.Stop()
		for n := 0; ; n++ {
			select {
			case <-a.quit:
				return
			case <-pause.C:
			}
			client := kept
			if n%2 == 1 {
				fresh.CloseIdleConnections()
				client = fresh
			}
			a.publish(ctx, client, hub.URL, token, strconv.Itoa(n))
		}
	}()
	return a
}

func (a *answers) publish(ctx context.Context, client *http.Client, hub, token, data string) {
	form := url.Values{"topic": {topic}, "data": {data}}
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, hub, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", formType)
	req.Header.Set("Authorization", token)
	res, err := client.Do(req)
	if err != nil {
		a.dropped++
		return
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	switch {
	case res.StatusCode == http.StatusOK:
		if a.acknowledged = append(a.acknowledged, data); len(a.acknowledged) == 20 {
			close(a.begun)
		}
	case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
		a.refused++
	default:
		a.wrong = append(a.wrong, fmt.Sprintf("%s: status %d, Retry-After %q", data, res.StatusCode, res.Header.Get("Retry-After")))
	}
}

func (a *answers) stop() {
	close(a.quit)
	<-a.done
}

// A start-first update of containers that share a volume: the newcomer takes the store over while the old hub runs.
// The old hub's streams end one after the other with a time to come back at, its publishers are told to go elsewhere,
// and at the newcomer there is everything that either has acknowledged, once and in order.
func TestContainersHandOverTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// The last stream ends a second and more after the first: time enough for one client to be served elsewhere.
	flags := []string{"--anonymous", "--drain=5s"}
	old := hubtest.LaunchContainer(t, dir, flags...)
	old.AwaitServing(t)
	const n = 10
	ended := make(chan visit, n)
	for range n {
		go func() { ended <- attend(t.Context(), old.Client(), old.URL, "", "", func() {}) }()
	}
	old.AwaitMetric(t, "mercure_subscribers_connected", fmt.Sprint(n))
	publisher := publishOn(t, old)
	<-publisher.begun

	next := hubtest.LaunchContainer(t, dir, flags...)
	next.AwaitServing(t)
	next.PublishData(t, topic, "from the newcomer")
	first := <-ended
	stays := attend(t.Context(), next.Client(), next.URL, first.lastID, "from the newcomer", func() {})
	if len(ended) == n-1 {
		t.Error("all streams of the old hub ended at once")
	}
	if code := old.Wait(t); code != 0 {
		t.Fatalf("the hub that handed over ended with code %d:\n%s", code, old.Log())
	}
	publisher.stop()
	t.Logf("the old hub acknowledged %d updates, refused %d and did not answer %d",
		len(publisher.acknowledged), publisher.refused, publisher.dropped)
	if len(publisher.wrong) > 0 {
		t.Errorf("of the old hub's answers %d are neither 200 nor 503 with Retry-After, first: %s", len(publisher.wrong), publisher.wrong[0])
	}
	if len(publisher.acknowledged) == 0 || publisher.refused == 0 || publisher.dropped == 0 {
		t.Error("the publisher has not met the whole handover")
	}

	next.PublishData(t, topic, "end")
	history := attend(t.Context(), next.Client(), next.URL, "earliest", "end", func() {})
	history.data = history.data[:max(0, len(history.data)-1)]
	wantAcknowledged(t, history, publisher.acknowledged)
	if got, want := slices.Concat(first.data, stays.data), history.data; !slices.Equal(got, want) {
		t.Errorf("the client that came back first has %d updates, want %d", len(got), len(want))
	}
	for _, v := range append(drain(ended, n-1), first) {
		if v.err != nil || v.retry < earliestReturn || v.retry > latestReturn {
			t.Errorf("a stream ended with %v and is to come back after %s", v.err, v.retry)
		}
		back := attend(t.Context(), next.Client(), next.URL, v.lastID, "end", func() {})
		if got, want := slices.Concat(v.data, back.data), append(slices.Clone(history.data), "end"); !slices.Equal(got, want) {
			t.Errorf("a client that came back has %d updates (%v), want %d", len(got), back.err, len(want))
		}
	}
	next.Stop(t)
}

func drain(ended <-chan visit, n int) (all []visit) {
	for range n {
		all = append(all, <-ended)
	}
	return all
}

// wantAcknowledged demands that a history has each update that was acknowledged once, in the order in which
// they were sent. An update that was not answered may be there.
func wantAcknowledged(t *testing.T, history visit, acknowledged []string) {
	t.Helper()
	if history.err != nil {
		t.Fatal(history.err)
	}
	last := -1
	stored := make(map[string]bool)
	for _, data := range history.data {
		n, err := strconv.Atoi(data)
		if err != nil {
			continue // one of the newcomer's
		}
		if n <= last {
			t.Fatalf("update %d comes after %d", n, last)
		}
		last = n
		stored[data] = true
	}
	for _, data := range acknowledged {
		if !stored[data] {
			t.Errorf("update %s was acknowledged and is lost", data)
		}
	}
}

// Where the old hub does not hand over, the container that starts first is alive, not ready, says so to everyone who
// asks, and serves when the old one has ended.
func TestContainerWaitsForTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := hubtest.LaunchContainer(t, dir, "--anonymous", "--drain=0s", "--no-handover")
	old.AwaitServing(t)
	id := old.PublishData(t, topic, "before")
	next := hubtest.LaunchContainer(t, dir, "--anonymous", "--drain=0s")
	next.AwaitLog(t, "waiting for the store")
	if status, _ := next.Get(t, "/livez"); status != http.StatusOK {
		t.Errorf("livez: %d", status)
	}
	if status, body := next.Get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "process 1 on ") {
		t.Errorf("readyz: %d %q, want 503 with the holder", status, body)
	}
	wantUnavailable(t, next.TryPublish(t, topic, "too early"), "not ready")
	if v := attend(t.Context(), next.Client(), next.URL, "", "", func() {}); v.err == nil || !strings.Contains(v.err.Error(), "status 503") {
		t.Errorf("a stream at the hub that waits: %v", v.err)
	}
	old.PublishData(t, topic, "meanwhile")
	old.Stop(t)
	next.AwaitServing(t)
	next.PublishData(t, topic, "after")
	v := attend(t.Context(), next.Client(), next.URL, id, "after", func() {})
	if want := []string{"meanwhile", "after"}; v.err != nil || !slices.Equal(v.data, want) {
		t.Errorf("a client that comes back gets %q (%v), want %q", v.data, v.err, want)
	}
	next.Stop(t)
}
