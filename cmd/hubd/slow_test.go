package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"hubd/internal/churn"
	"hubd/internal/hubtest"
)

// Streams that stop reading cost a cursor each: those that read get everything at once, the queue of the hub stays within
// its bound and its memory with it. One that reads again gets all that it missed; those that do not are ended.
func TestStalledStreams(t *testing.T) {
	t.Parallel()
	const stalled, updates, size, queue = 50, 300, 32 << 10, 64 << 10
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--dispatch-timeout=3s", fmt.Sprintf("--queue-bytes=%d", queue))
	before := footprintOf(t, p)
	readers := []*hubtest.Stream{p.Subscribe(t, "topic="+enc(topic)), p.Subscribe(t, "topic="+enc(topic))}
	var streams []*slowStream
	for range stalled {
		streams = append(streams, openSlow(t, p))
	}
	p.AwaitMetric(t, "mercure_subscribers_connected", fmt.Sprint(stalled+len(readers)))

	padding := strings.Repeat("x", size)
	most := 0
	for i := range updates {
		want := fmt.Sprint(i, " ", padding)
		p.Publish(t, url.Values{"topic": {topic}, "data": {want}})
		for _, r := range readers {
			r.Expect(t, want)
		}
		if i%20 == 0 {
			most = max(most, footprintOf(t, p).Queued)
		}
	}
	// Batches are shared, but a stream counts each that waits for it.
	if bound := (stalled + len(readers)) * (queue + size + 4096); most > bound {
		t.Errorf("%d bytes waited, more than %d", most, bound)
	}
	// Each stalled stream is owed some ten megabytes.
	if f, err := churn.ReadHeap(t.Context(), p.Admin); err != nil || f.Heap > 64<<20 {
		t.Errorf("the heap has %d bytes (%v) with %d stalled streams", f.Heap, err, stalled)
	}
	survivor := openSlow(t, p)
	p.PublishData(t, topic, "for the one that came late")
	survivor.expect(t, "for the one that came late")

	p.AwaitMetric(t, `hubd_disconnects_total{reason="stalled"}`, fmt.Sprint(stalled))
	p.AwaitMetric(t, "mercure_subscribers_connected", fmt.Sprint(len(readers)+1))
	for _, s := range streams {
		_ = s.conn.Close()
	}
	_ = survivor.conn.Close()
	for _, r := range readers {
		r.Close()
	}
	awaitFootprint(t, p, churn.Footprint{Goroutines: before.Goroutines, Files: before.Files})
	t.Logf("at most %d bytes waited for %d stalled streams", most, stalled)
}

// A stream that has stopped reading for a while, and then reads again, gets what it missed from the log, in order.
func TestSlowStreamCatchesUp(t *testing.T) {
	t.Parallel()
	const updates, size = 400, 32 << 10
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--dispatch-timeout=10m", "--queue-bytes=64KiB")
	slow := openSlow(t, p)
	padding := strings.Repeat("x", size)
	for i := range updates {
		p.PublishData(t, topic, fmt.Sprint(i, " ", padding))
	}
	p.AwaitMetric(t, "hubd_catchup_streams", "1")
	p.AwaitMetric(t, "hubd_queue_bytes", "0")
	for i := range updates {
		slow.expect(t, fmt.Sprint(i, " ", padding))
	}
	p.AwaitMetric(t, "hubd_catchup_streams", "0")
	p.PublishData(t, topic, "live again")
	slow.expect(t, "live again")
}

// slowStream is a stream over a connection whose client takes in little, and nothing while nobody reads it.
type slowStream struct {
	conn net.Conn
	in   *bufio.Reader
}

func openSlow(t *testing.T, p *hubtest.Process) *slowStream {
	t.Helper()
	conn := dialRaw(t, p)
	if err := conn.(*net.TCPConn).SetReadBuffer(128 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET "+hubPath+"?topic="+enc(topic)+" HTTP/1.1\r\n"+hostLine+"\r\n"); err != nil {
		t.Fatal(err)
	}
	s := &slowStream{conn, bufio.NewReader(conn)}
	for { // the head
		text, err := s.in.ReadString('\n')
		if err != nil {
			t.Fatalf("the head of a stream: %v", err)
		}
		if text == "\r\n" {
			return s
		}
	}
}

// expect reads to the data of the next event.
func (s *slowStream) expect(t *testing.T, want string) {
	t.Helper()
	for {
		text, err := s.in.ReadString('\n')
		if err != nil {
			t.Fatalf("waiting for %.20q: %v", want, err)
		}
		if data, found := strings.CutPrefix(text, "data: "); found {
			if data != want+"\n" {
				t.Fatalf("the next event is %.20q, want %.20q", data, want)
			}
			return
		}
	}
}
