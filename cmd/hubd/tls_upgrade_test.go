package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubd/handover"
	"hubd/internal/hubtest"
)

// secureAddress returns a flag with which every hub of a test listens on the same address with TLS.
func secureAddress(t *testing.T) (flag, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return "--tls-listen=" + address, address
}

// An upgrade moves plain streams; those over TLS end at the old hub with a time to come back at, and resume at the new
// one without a gap. The listening socket moves, so that no connection is refused.
func TestUpgradeWithTLS(t *testing.T) {
	t.Parallel()
	h := &secureHub{dir: t.TempDir(), authority: hubtest.NewAuthority(t)}
	h.cert, h.key = h.authority.Issue(t, h.dir, time.Now().Add(time.Hour))
	listen, _ := secureAddress(t)
	flags := append(append(h.args(), addresses(t)...), listen, "--drain=500ms")
	h.Process = hubtest.Launch(t, h.dir, flags...)
	h.await(t)
	plain := h.Subscribe(t, "topic="+enc(topic))
	secured := map[string]*hubtest.Process{"HTTP/1.1": h.h1, "HTTP/2": h.h2}
	streams := make(map[string]*hubtest.Stream)
	for name, p := range secured {
		streams[name] = p.Subscribe(t, "topic="+enc(topic))
	}
	before := h.PublishData(t, topic, "before")
	for _, s := range streams {
		s.Expect(t, "before")
	}
	load := startSecureFlow(t, h)
	next := hubtest.Launch(t, h.dir, flags...)
	next.AwaitServing(t)
	if !strings.Contains(next.Log(), "took over") {
		t.Fatal("the new hub did not take over")
	}
	for name, s := range streams {
		s.AwaitEnd(t)
		resumed := secured[name].Subscribe(t, "topic="+enc(topic), "Last-Event-ID", before)
		next.PublishData(t, topic, "after "+name)
		for e := resumed.Next(t); e.Data != "after "+name; e = resumed.Next(t) {
			if !strings.HasPrefix(e.Data, "load") && !strings.HasPrefix(e.Data, "after") {
				t.Fatalf("%s: event %q", name, e.Data)
			}
		}
	}
	for e := plain.Next(t); e.Data != "after HTTP/2"; e = plain.Next(t) {
	}
	if code := h.Wait(t); code != 0 {
		t.Fatalf("the hub that handed over ended with code %d", code)
	}
	if n := load.stop(); n > 0 {
		t.Errorf("%d connections were refused", n)
	}
}

// secureFlow connects again and again and counts what was refused.
type secureFlow struct {
	quit    chan struct{}
	refused chan int
}

func startSecureFlow(t *testing.T, h *secureHub) *secureFlow {
	t.Helper()
	f := &secureFlow{quit: make(chan struct{}), refused: make(chan int, 1)}
	address := h.address
	go func() {
		refused := 0
		for {
			select {
			case <-f.quit:
				f.refused <- refused
				return
			default:
			}
			c, err := net.DialTimeout("tcp", address, hubtest.Patience)
			if err != nil {
				refused++
				continue
			}
			_ = c.Close()
		}
	}()
	return f
}

func (f *secureFlow) stop() int {
	close(f.quit)
	return <-f.refused
}

// A handover that fails leaves streams over TLS where they are: they go on.
func TestFailedUpgradeKeepsTLSStreams(t *testing.T) {
	t.Parallel()
	h := &secureHub{dir: t.TempDir(), authority: hubtest.NewAuthority(t)}
	h.cert, h.key = h.authority.Issue(t, h.dir, time.Now().Add(time.Hour))
	listen, _ := secureAddress(t)
	flags := append(append(h.args(), addresses(t)...), listen)
	h.Process = hubtest.Launch(t, h.dir, flags...)
	h.await(t)
	streams := []*hubtest.Stream{h.Subscribe(t, "topic=*"), h.h1.Subscribe(t, "topic=*"), h.h2.Subscribe(t, "topic=*")}
	session, err := handover.Ask(t.Context(), handover.AskOptions{
		Path:     filepath.Join(h.dir, "hub.db"),
		Proposal: handover.Proposal{Newcomer: handover.Self("test", time.Now()), Streams: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := session.AwaitReleased(t.Context()); err != nil {
		t.Fatal(err)
	}
	session.Close()
	h.AwaitLog(t, "handover failed, this hub goes on")
	for i := range 3 {
		data := fmt.Sprint("still here ", i)
		h.PublishData(t, topic, data)
		for _, s := range streams {
			s.Expect(t, data)
		}
	}
	streams[2].Close()
	h.AwaitMetric(t, "mercure_subscribers_connected", "2")
	streams[1].Close()
	h.AwaitMetric(t, "mercure_subscribers_connected", "1")
}
