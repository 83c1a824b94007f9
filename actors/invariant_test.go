package actors

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"hubd/persistence"
)

// I4: what waits for a stream is bounded by configuration, whatever the client and the publishers do. One
// batch may be larger than the bound when nothing else waits.
func TestInvariantI4QueuesAreBounded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		m := newSimulation(t, seed, persistence.Retention{})
		largest := int64(0)
		for range 1500 {
			m.step()
			for _, e := range m.events {
				largest = max(largest, int64(len(e.Frame())))
			}
			bound := max(m.q.queueBytes, largest, int64(m.q.batchBytes))
			for i, c := range m.clients {
				if queued := c.s.queued.load(); queued > bound {
					t.Fatalf("seed %d: %d bytes wait for client %d, the bound is %d", seed, queued, i, bound)
				}
			}
			if topics := len(m.q.topics.list); topics > m.q.topics.bound {
				t.Fatalf("seed %d: %d topics are kept, the bound is %d", seed, topics, m.q.topics.bound)
			}
		}
	}
}

// I6: with many publishers and streams at work, no goroutine is seen to wait for a lock on the way of an
// event from the log to the socket.
func TestInvariantI6NoLockBetweenLogAndSocket(t *testing.T) {
	before := runtime.SetMutexProfileFraction(1)
	defer runtime.SetMutexProfileFraction(before)
	r := newRig(t)
	pipes := make([]*pipe, 200)
	for i := range pipes {
		pipes[i] = newPipe()
		pipes[i].discard = true
		r.subscribe(t, pipes[i], "*", nil)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				r.publish(t, fmt.Sprint("topic ", i), fmt.Sprint(n))
			}
		})
	}
	wg.Wait()
	r.Drain(t.Context(), 0)

	records := make([]runtime.BlockProfileRecord, 4096)
	n, _ := runtime.MutexProfile(records)
	for _, record := range records[:n] {
		var stack []string
		frames := runtime.CallersFrames(record.Stack())
		for frame, more := frames.Next(); more; frame, more = frames.Next() {
			stack = append(stack, frame.Function)
		}
		text := strings.Join(stack, "\n")
		for _, hot := range []string{"(*sequencer).advance", "(*sequencer).handOver", "(*audience).deliver", "(*Subscriber).onBatch", "(*Subscriber).flush", "(*mailbox).post", "(*lane).schedule", "(*worker).offer"} {
			if strings.Contains(text, "hubd/actors."+hot) && strings.Contains(text, "sync.(*Mutex)") {
				t.Errorf("a lock was waited for on the way of an event:\n%s", text)
			}
		}
	}
}
