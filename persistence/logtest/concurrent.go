package logtest

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"hubd/mercure"
	"hubd/persistence"
)

// testConcurrent appends while tails follow, readers page and others look for ids. Its worth is
// in the race detector, and in orders of events that no single goroutine produces.
func testConcurrent(t *testing.T, b Backend) {
	const batches, size, keep = 150, 20, 500
	h := newHarness(t, b, persistence.Retention{MaxEvents: keep})
	var appended atomic.Uint64 // known to the readers
	done := make(chan struct{})
	var work sync.WaitGroup

	for range 2 {
		f := h.follow(0)
		work.Go(func() { followAll(t, f, batches*size) })
	}
	for range 3 {
		work.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					readSome(t, h.log, appended.Load(), keep)
				}
			}
		})
	}
	for i := range batches {
		ids := make([]string, size)
		ids[i%size] = "own"
		batch := h.batch(ids...)
		first, err := h.log.Append(batch)
		if err != nil {
			t.Fatal(err)
		}
		h.appended(first, batch, ids)
		appended.Store(uint64(len(h.events)))
	}
	close(done)
	work.Wait()
	h.check()
}

// followAll follows a tail to the head, which sees each event once and in order.
func followAll(t *testing.T, f *follower, head uint64) {
	after := uint64(0)
	var buf []*mercure.Event
	for after < head {
		<-f.woken
		for {
			var err error
			if buf, err = f.Next(buf[:0], pageBytes); err != nil {
				t.Errorf("next: %v", err)
				return
			}
			if len(buf) == 0 {
				break
			}
			for _, e := range buf {
				if e.Position <= after {
					t.Errorf("event %d came after %d", e.Position, after)
					return
				}
				after = e.Position
			}
		}
	}
	f.Close()
}

// readSome reads a page somewhere in what has been appended, and looks for an id in it.
func readSome(t *testing.T, log persistence.Log, appended, keep uint64) {
	after := uint64(0)
	if appended > 0 {
		after = rand.Uint64N(appended)
	}
	page, err := log.Read(after, pageBytes)
	if err != nil {
		t.Errorf("read: %v", err)
		return
	}
	if after < appended && len(page) == 0 {
		t.Errorf("an empty page after %d, %d events were appended", after, appended)
	}
	for i, e := range page {
		if i > 0 && e.Position != page[i-1].Position+1 {
			t.Errorf("event %d follows %d in a page", e.Position, page[i-1].Position)
		}
	}
	if len(page) == 0 || page[0].OwnID {
		return
	}
	position, found, err := log.Find(page[0].ID())
	before, _ := log.Bounds()
	switch {
	case err != nil:
		t.Errorf("find: %v", err)
	case found && position != page[0].Position, !found && page[0].Position > before:
		t.Errorf("find %q is (%d, %t), want %d, the history begins after %d", page[0].ID(), position, found, page[0].Position, before)
	}
	if before, head := log.Bounds(); head-before > keep {
		t.Errorf("%d events are retained, want %d at most", head-before, keep)
	}
}
