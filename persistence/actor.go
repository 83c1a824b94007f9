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

// dispatcher runs one actor on one goroutine for its whole life. protoactor's own starts a goroutine
// for each wake, and its new stack has to grow on the way into the back end each time.
type dispatcher struct {
	wakes chan func()
	done  chan struct{}
}

func newDispatcher() *dispatcher {
	d := &dispatcher{wakes: make(chan func(), 1), done: make(chan struct{})}
	go d.run()
	return d
}

func (d *dispatcher) run() {
	defer close(d.done)
	for wake := range d.wakes {
		wake()
	}
}

// Schedule implements actor.Dispatcher. It does not wait: the mailbox schedules again only when it has
// begun, or ended, what was scheduled before.
func (d *dispatcher) Schedule(wake func()) { d.wakes <- wake }

// Throughput implements actor.Dispatcher: how many messages are taken before others may run.
func (d *dispatcher) Throughput() int { return 300 }

// join ends the goroutine. The actor must have stopped.
func (d *dispatcher) join() {
	close(d.wakes)
	<-d.done
}
