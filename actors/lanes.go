package actors

import "runtime"

const (
	// lanesEach is how many lanes a worker is the home of: one whose core is taken away by the system holds up one of them.
	lanesEach = 8
	// neighbours is how many streams that began one after the other share a lane. The kernel keeps their sockets near each
	// other, and two cores that write to neighbours at once slow each other down. So many streams, or fewer, keep one core busy at most.
	neighbours = 128
	// stepsBeforeYield is how many actors of a lane are run before other goroutines are let have the core: those of
	// publishers, the hub actor and the persistence actor. A step is little more than one write.
	stepsBeforeYield = 32
)

// lane is a queue of actors and audiences, of which one runs at a time. Its home is the worker that runs it as a rule; one
// that would idle runs those of others. What waits is bounded by the number of streams: an actor is in the queue at most
// once, and so is an audience.
type lane struct {
	number int
	turns  pile[turn, *turn]
	home   *worker
	// bit is the lane's among those of its home.
	bit uint64

	// What follows belongs to whoever runs the lane.

	tally tally
	// steps is how many actors were run.
	steps  uint
	noPost *post
	_      [64]byte // lanes are apart in the cache
}

// schedule queues a turn, which is in no queue.
func (l *lane) schedule(t *turn) {
	if l.turns.add(t) {
		l.home.offer(l)
	}
}

// run runs what was scheduled before, and reports whether there is nothing more. Called by a worker.
func (l *lane) run() (rests bool) {
	for t := l.turns.take(); t != nil; {
		next := t.next // running lets the turn be queued again
		t.runner.run()
		t = next
		l.step()
	}
	return l.turns.rest()
}

// step is called after each actor that was run.
func (l *lane) step() {
	if l.steps++; l.steps%stepsBeforeYield == 0 {
		runtime.Gosched()
	}
}
