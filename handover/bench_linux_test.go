package handover

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// timedHub times the giving of its streams.
type timedHub struct {
	*fakeHub
	began time.Time
}

func (h *timedHub) Streams(_ context.Context, give Give) error {
	h.began = time.Now()
	for _, s := range h.streams {
		settle := func(bool) { _ = unix.Close(s.fd) }
		if err := give(Stream{FD: s.fd, State: s.state}, settle); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkStreams hands 10,000 sockets with states of 300 bytes to another process and reports the time from
// the first stream given to the newcomer's confirmation. The far ends of the sockets are closed before, so
// that the descriptors fit the limit of one process.
func BenchmarkStreams(b *testing.B) {
	const n = 10_000
	var total time.Duration
	for b.Loop() {
		path := storePath(b)
		fake, err := newFakeHub(path)
		if err != nil {
			b.Fatal(err)
		}
		hub := &timedHub{fakeHub: fake}
		hub.terms.Streams = true
		for range n {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				b.Fatal(err)
			}
			_ = unix.Close(pair[1])
			hub.streams = append(hub.streams, &fakeStream{fd: pair[0], state: make([]byte, 300)})
		}
		holder, err := Listen(ListenOptions{Path: path, Identity: Self("1.0-test", since)})
		if err != nil {
			b.Fatal(err)
		}
		newcomer := start(b, part{Role: "newcomer", Path: path, Stop: "keep"}, nil)
		outcome, err := holder.Serve(b.Context(), hub)
		total += time.Since(hub.began)
		if err != nil || outcome.Streams.Taken != n {
			b.Fatalf("Serve returned %+v, %v", outcome, err)
		}
		newcomer.kill()
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N)/1000, "ms/handover")
	b.ReportMetric(0, "ns/op")
}
