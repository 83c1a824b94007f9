package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubd/handover"
	"hubd/internal/hubtest"
)

// addresses returns flags with which every hub of a test listens on the same two addresses.
func addresses(t *testing.T) []string {
	t.Helper()
	var flags []string
	for _, flag := range []string{"--listen=", "--admin-listen="} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		flags = append(flags, flag+l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return flags
}

// flow publishes numbered updates until it is told to stop, trying again what was not answered 200.
type flow struct {
	quit, done chan struct{}
	// acknowledged are the numbers answered 200; refused is the longest time without one.
	acknowledged int
	refused      time.Duration
}

func startFlow(t *testing.T, hub *hubtest.Process, name string) *flow {
	t.Helper()
	f := &flow{quit: make(chan struct{}), done: make(chan struct{})}
	token := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
	go func() {
		defer close(f.done)
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		last := time.Now()
		for n := 0; ; {
			select {
			case <-f.quit:
				return
			default:
			}
			form := url.Values{"topic": {topic}, "data": {fmt.Sprintf("%s %d", name, n)}}
			req, _ := http.NewRequest(http.MethodPost, hub.URL, strings.NewReader(form.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Authorization", token)
			res, err := client.Do(req)
			if err != nil {
				continue
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				n++
				f.acknowledged = n
				f.refused = max(f.refused, time.Since(last))
				last = time.Now()
			}
		}
	}()
	return f
}

func (f *flow) stop() {
	close(f.quit)
	<-f.done
}

// Three upgrades under load on one machine: no stream ends, every acknowledged update comes once and in order on each,
// presence does not blink, and the old hub ends by itself.
func TestUpgradeEndsNoStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := append(addresses(t), "--anonymous", "--subscriptions", "--drain=0s")
	hub := hubtest.Start(t, dir, flags...)
	streams := make([]*hubtest.Stream, 20)
	for i := range streams {
		streams[i] = hub.Subscribe(t, "topic="+enc(topic))
	}
	presence := hub.Subscribe(t, "topic="+enc("/.well-known/mercure/subscriptions/{topic}/{subscriber}"),
		"Authorization", "Bearer "+hubtest.Token(t, nil, []string{"*"}))
	var flows []*flow
	for i := range 4 {
		flows = append(flows, startFlow(t, hub, fmt.Sprint(i)))
	}
	for range 3 {
		streams[0].Next(t)
		next := hubtest.Launch(t, dir, flags...)
		next.AwaitServing(t)
		if code := hub.Wait(t); code != 0 {
			t.Fatalf("the hub that handed over ended with code %d:\n%s", code, hub.Log())
		}
		hub = next
	}
	sent := 0
	for _, f := range flows {
		f.stop()
		sent += f.acknowledged
		t.Logf("%d updates acknowledged, longest time without one %s", f.acknowledged, f.refused)
	}
	hub.PublishData(t, topic, "end")
	hub.AwaitMetric(t, "mercure_subscribers_connected", fmt.Sprint(len(streams)+1))
	for i, s := range streams {
		if i == 0 {
			continue // some of it was read above
		}
		next := make([]int, len(flows))
		for e := s.Next(t); e.Data != "end"; e = s.Next(t) {
			var flow, n int
			if _, err := fmt.Sscanf(e.Data, "%d %d", &flow, &n); err != nil {
				t.Fatalf("event %q", e.Data)
			}
			if n > next[flow] || n < next[flow]-1 {
				t.Fatalf("stream %d: update %d of flow %d came when %d was next", i, n, flow, next[flow])
			}
			next[flow] = max(next[flow], n+1)
		}
		for flow, n := range next {
			if n < flows[flow].acknowledged {
				t.Errorf("stream %d got %d of %d acknowledged updates of flow %d", i, n, flows[flow].acknowledged, flow)
			}
		}
	}
	hub.Stop(t)
	for _, e := range presence.AwaitEnd(t) {
		if strings.Contains(e.Data, `"active":false`) {
			t.Fatalf("a subscription was announced to have ended: %s", e.Data)
		}
	}
}

// A newcomer that lets in others does not get the streams: they end with a time to come back at, and miss nothing.
func TestStreamsDoNotMoveToOtherKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := append(addresses(t), "--anonymous", "--drain=0s")
	old := hubtest.Start(t, dir, flags...)
	stream := old.Subscribe(t, "topic=*")
	id := old.PublishData(t, topic, "before")
	next := hubtest.Launch(t, dir, append(flags, "--subscriber-key=another secret, long enough for HS256 too")...)
	next.AwaitServing(t)
	if code := old.Wait(t); code != 0 {
		t.Fatalf("the hub that handed over ended with code %d", code)
	}
	if rest := stream.AwaitEnd(t); len(rest) != 1 || rest[0].Data != "before" {
		t.Errorf("the stream ended with %v", rest)
	}
	next.PublishData(t, topic, "after")
	next.Subscribe(t, "topic=*", "Last-Event-ID", id).Expect(t, "after")
}

// A newcomer that goes away before it has the store costs nobody anything: the holder takes everything back.
func TestFailedHandoverIsTakenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hub := hubtest.Start(t, dir, "--anonymous", "--drain=0s")
	stream := hub.Subscribe(t, "topic=*")
	hub.PublishData(t, topic, "before")
	for range 3 {
		session, err := handover.Ask(t.Context(), handover.AskOptions{
			Path:     filepath.Join(dir, "hub.db"),
			Proposal: handover.Proposal{Newcomer: handover.Self("test", time.Now()), Streams: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := session.AwaitReleased(t.Context()); err != nil {
			t.Fatal(err)
		}
		session.Close()
		hub.AwaitLog(t, "handover failed, this hub goes on")
		hub.PublishData(t, topic, "after")
	}
	stream.Expect(t, "before", "after", "after", "after")
	hub.AwaitMetric(t, "mercure_subscribers_connected", "1")
	hub.Stop(t)
}

// Of several hubs that start on one store one is left in the end, and it serves.
func TestManyNewcomersLeaveOneHub(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := hubtest.Start(t, dir, "--anonymous", "--drain=0s")
	id := first.PublishData(t, topic, "first")
	hubs := []*hubtest.Process{first}
	for range 3 {
		hubs = append(hubs, hubtest.Launch(t, dir, "--anonymous", "--drain=0s"))
	}
	exits := make(chan int, len(hubs))
	for i, h := range hubs {
		go func() {
			<-h.Exited()
			exits <- i
		}()
	}
	alive := map[int]bool{0: true, 1: true, 2: true, 3: true}
	for len(alive) > 1 {
		select {
		case i := <-exits:
			delete(alive, i)
			if code := hubs[i].Wait(t); code != 0 {
				t.Fatalf("hub %d ended with code %d:\n%s", i, code, hubs[i].Log())
			}
		case <-time.After(hubtest.Patience):
			t.Fatalf("hubs %v are left", alive)
		}
	}
	for i := range alive {
		last := hubs[i]
		last.AwaitServing(t)
		last.PublishData(t, topic, "last")
		last.Subscribe(t, "topic=*", "Last-Event-ID", id).Expect(t, "last")
		last.Stop(t)
	}
}

// A hub that waits leaves the store alone between the holder that has closed it and the newcomer that is to open it: as long as
// the holder listens.
func TestWaitingHubDoesNotOvertake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder, err := handover.Listen(handover.ListenOptions{Path: filepath.Join(dir, "hub.db"), Identity: handover.Self("test", time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	waiting := hubtest.Launch(t, dir, "--anonymous")
	waiting.AwaitLog(t, "waiting for the store")
	if _, err := os.Stat(filepath.Join(dir, "hub.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the store was opened: %v", err)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	waiting.AwaitServing(t)
}

// The hub that waits says who holds the store.
func TestReadinessNamesTheHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := hubtest.Start(t, dir, "--no-handover", "--anonymous")
	flags := addresses(t)
	waiting := hubtest.Launch(t, dir, flags...)
	waiting.AwaitLog(t, "waiting for the store")
	admin := "http://" + strings.TrimPrefix(flags[1], "--admin-listen=")
	status, body := hubtest.Get(t, admin+"/readyz")
	if want := fmt.Sprintf("process %d on ", holder.PID); status != http.StatusServiceUnavailable || !strings.Contains(body, want) {
		t.Errorf("readyz: %d %s, want 503 with %q", status, body, want)
	}
	public := "http://" + strings.TrimPrefix(flags[0], "--listen=")
	if status, body := hubtest.Get(t, public+"/healthz"); status != http.StatusServiceUnavailable || strings.Contains(body, "process") {
		t.Errorf("healthz: %d %s, want 503 without the holder", status, body)
	}
	if status, _ := hubtest.Get(t, admin+"/livez"); status != http.StatusOK {
		t.Errorf("livez: %d", status)
	}
	if _, text := hubtest.Get(t, admin+"/metrics"); !strings.Contains(text, "hubd_store_held_elsewhere 1\n") {
		t.Error("metrics do not say that the store is held elsewhere")
	}
	holder.Stop(t)
	waiting.AwaitServing(t)
	if waiting.Metric(t, "hubd_store_held_elsewhere") != "0" {
		t.Error("metrics say that the store is held elsewhere after it was taken")
	}
}
