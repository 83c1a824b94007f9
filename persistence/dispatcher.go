package persistence

// Dispatcher runs one actor on one goroutine for its whole life; it implements actor.Dispatcher. protoactor's own starts a
// goroutine for each wake, and its new stack has to grow on the way down, each time.
type Dispatcher struct {
	wakes chan func() // capacity 1; nil ends the goroutine
	done  chan struct{}
}

// NewDispatcher starts the goroutine.
func NewDispatcher() *Dispatcher {
	d := &Dispatcher{wakes: make(chan func(), 1), done: make(chan struct{})}
	go d.run()
	return d
}

func (d *Dispatcher) run() {
	defer close(d.done)
	for wake := range d.wakes {
		if wake == nil {
			return
		}
		wake()
	}
}

// Schedule implements actor.Dispatcher. It does not wait: the mailbox schedules again only when it has
// begun, or ended, what was scheduled before. After Join nothing is run any more: a message may still come to an actor
// that has stopped.
func (d *Dispatcher) Schedule(wake func()) { d.wakes <- wake }

// Throughput implements actor.Dispatcher: how many messages are taken before others may run.
func (d *Dispatcher) Throughput() int { return 300 }

// Join ends the goroutine. The actor must have stopped. It is called once.
func (d *Dispatcher) Join() {
	d.wakes <- nil
	<-d.done
}
