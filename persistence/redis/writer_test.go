package redis

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

func event(id string) *mercure.Event {
	return mercure.NewEvent(&mercure.Update{Topics: []string{"t"}, Data: "data", ID: id})
}

// writer appends batches until it is told to stop. Each event has an id of its own, or one that the log makes and its
// own number as data.
type writer struct {
	log     persistence.Shared
	stopped chan struct{}
	running sync.WaitGroup

	// mu guards what follows.
	mu       sync.Mutex
	acked    map[string]uint64 // id of the first event of each batch that was acknowledged, and its position
	doubtful int               // batches that were not
	tried    chan struct{}     // closed when there is one more of either
}

func startWriter(log persistence.Shared) *writer {
	w := &writer{log: log, stopped: make(chan struct{}), acked: map[string]uint64{}, tried: make(chan struct{})}
	w.running.Go(w.run)
	return w
}

func (w *writer) run() {
	for n := 0; ; n++ {
		select {
		case <-w.stopped:
			return
		default:
		}
		id := fmt.Sprint("batch-", n)
		first, err := w.log.Append([]*mercure.Event{event(id), event(""), event(id + "-last")})
		w.mu.Lock()
		if err != nil {
			w.doubtful++
		} else {
			w.acked[id] = first
		}
		close(w.tried)
		w.tried = make(chan struct{})
		w.mu.Unlock()
	}
}

// await waits until n more batches were acknowledged.
func (w *writer) await(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	n += len(w.acked)
	w.mu.Unlock()
	w.awaitThat(t, func() bool { return len(w.acked) >= n })
}

// awaitThat waits until it holds.
func (w *writer) awaitThat(t *testing.T, holds func() bool) {
	t.Helper()
	late := time.After(2 * within)
	for {
		w.mu.Lock()
		held, tried := holds(), w.tried
		w.mu.Unlock()
		if held {
			return
		}
		select {
		case <-tried:
		case <-late:
			t.Fatal("the appends do not go on")
		}
	}
}

func (w *writer) stop() {
	close(w.stopped)
	w.running.Wait()
}

// check looks for what was acknowledged: each batch is there whole, once and where the answer said.
func (w *writer) check(t *testing.T, log persistence.Log) {
	t.Helper()
	// A connection that broke while it was idle is noticed by the first call that uses it.
	for late := time.After(within); ; {
		_, err := log.Append(nil)
		if err == nil {
			break
		}
		select {
		case <-late:
			t.Fatal(err)
		default:
		}
		if !errors.Is(err, persistence.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	events := readAll(t, log)
	at := map[string]uint64{}
	for i, e := range events {
		if e.Position != uint64(i)+1 {
			t.Fatalf("event %d is number %d", e.Position, i+1)
		}
		if before, found := at[e.ID()]; found {
			t.Fatalf("%q is at %d and at %d", e.ID(), before, e.Position)
		}
		at[e.ID()] = e.Position
	}
	for id, first := range w.acked {
		if at[id] != first || at[id+"-last"] != first+2 {
			t.Fatalf("%q was acknowledged at %d, and is at %d to %d of %d", id, first, at[id], at[id+"-last"], len(events))
		}
	}
	batches := 0
	for id := range at {
		if strings.HasPrefix(id, "batch-") && !strings.HasSuffix(id, "-last") {
			batches++
		}
	}
	if batches < len(w.acked) || batches > len(w.acked)+w.doubtful {
		t.Fatalf("%d batches are stored, %d were acknowledged and %d in doubt", batches, len(w.acked), w.doubtful)
	}
	t.Logf("%d batches acknowledged, %d in doubt, %d stored", len(w.acked), w.doubtful, batches)
}

func readAll(t *testing.T, log persistence.Log) (all []*mercure.Event) {
	t.Helper()
	for after := uint64(0); ; after = all[len(all)-1].Position {
		page, err := log.Read(after, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}
