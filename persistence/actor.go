package persistence

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// writer is the persistence actor: it turns messages into transitions of its batcher.
type writer struct {
	batcher *batcher
	// sent counts requests once they are in the mailbox, taken those that were received. Where taken
	// has caught up there is nothing to gather for the moment, and the batch goes out without waiting
	// for more to come.
	sent  *atomic.Int64
	taken int64
	// yield lets every goroutine run that can; runtime.Gosched.
	yield   func()
	stopped chan struct{}
}

// Receive implements actor.Actor.
func (w *writer) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *request:
		w.take(m)
	case *actor.Stopped:
		close(w.stopped)
	}
}

// take hands a request to the batcher. A commit costs as much for one event as for a hundred, and the publishers
// that the last one answered are often about to send their next: while fewer have come than it answered, those who can
// run at this moment go first. That is no wait: with nobody to run it costs a fraction of a microsecond, and a publisher
// that is alone is never held up.
func (w *writer) take(r *request) {
	w.taken++
	last := w.taken >= w.sent.Load()
	if last && w.batcher.expectsMore() {
		w.yield()
		last = w.taken >= w.sent.Load()
	}
	w.batcher.add(r, last)
}
