package actors

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
)

// I1 under a flood: publishers that are faster than the fan-out neither push events out of a short history before the
// streams have them, nor fill the queues of streams that keep up so that they have to read it.
func TestInvariantI1FloodReachesEveryStream(t *testing.T) {
	t.Parallel()
	const streams, publishers, each = 50, 8, 250
	r := newRigOf(t,
		memory.Options{Retention: persistence.Retention{MaxEvents: 256}, Ring: persistence.RingOptions{Slots: 64}},
		Options{MaxLag: 32, BatchBytes: 4 << 10, QueueBytes: 16 << 10})
	sinks := make([]*sink, streams)
	for i := range sinks {
		sinks[i] = &sink{begun: make(chan struct{}), closed: make(chan struct{})}
		o, err := r.Prepare([]mercure.Matcher{{Type: mercure.Template, Pattern: "*"}})
		if err != nil {
			t.Fatal(err)
		}
		o.Conn, o.Prelude = sinks[i], []byte(simPrelude)
		if err := r.Subscribe(o); err != nil {
			t.Fatal(err)
		}
		<-sinks[i].begun
	}
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for n := range each {
				r.publish(t, "topic", fmt.Sprintf("%d/%d", p, n))
			}
		})
	}
	wg.Wait()
	r.Drain(t.Context(), 0)
	if n := r.stats.Replayed(); n > 0 {
		t.Errorf("%d events were read from history for streams that keep up", n)
	}
	for i, s := range sinks {
		<-s.closed
		var next [publishers]int
		for _, line := range strings.Split(s.text.String(), "\n") {
			var p, n int
			if _, err := fmt.Sscanf(line, "data: %d/%d", &p, &n); err != nil {
				continue
			}
			if n != next[p] {
				t.Fatalf("stream %d: update %d of publisher %d came when %d was next", i, n, p, next[p])
			}
			next[p]++
		}
		for p, n := range next {
			if n != each {
				t.Errorf("stream %d got %d of %d updates of publisher %d", i, n, each, p)
			}
		}
	}
}

// sink is a client that takes everything at once, at some cost for the hub.
type sink struct {
	text   strings.Builder
	begun  chan struct{}
	once   sync.Once
	closed chan struct{}
	sum    [sha256.Size]byte
}

func (s *sink) Watch(*Subscriber) {}

func (s *sink) Write(p []byte) (int, error) {
	for range 20 {
		s.sum = sha256.Sum256(append(s.sum[:], p...))
	}
	s.text.Write(p)
	s.once.Do(func() { close(s.begun) })
	return len(p), nil
}

func (s *sink) Close() error {
	close(s.closed)
	return nil
}
