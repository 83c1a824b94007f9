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
	sent    *atomic.Int64
	taken   int64
	stopped chan struct{}
}

// Receive implements actor.Actor.
func (w *writer) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *request:
		w.taken++
		w.batcher.add(m, w.taken >= w.sent.Load())
	case *actor.Stopped:
		close(w.stopped)
	}
}
