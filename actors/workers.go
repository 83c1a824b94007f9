package actors

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// stepsBeforeYield is how many actors a worker runs before it lets other goroutines have its core:
// those of publishers, the hub actor and the persistence actor. A step is little more than one write.
const stepsBeforeYield = 32

// workers run subscriber actors: a goroutine for each core in place of one for each message. A new goroutine's stack
// grows on the way down to the socket, each time, which cost a fifth of the time of a fan-out; these grow once. A
// subscriber never waits, so neither do they.
type workers struct {
	all  []*worker
	next atomic.Uint32
	done sync.WaitGroup

	noTurn   *turn
	noLetter *letter
}

// worker runs the actors that were given to it when they were made, one at a time. What waits is bounded by the number
// of streams: an actor is in the queue at most once, and so is an audience.
type worker struct {
	number int
	turns  pile[turn, *turn]
	wake   chan struct{} // capacity 1
	quit   atomic.Bool
	tally  tally
	// steps is how many actors it ran.
	steps  uint
	noPost *post
	_      [64]byte // workers are apart in the cache
}

// turn is what a worker runs: an actor or an audience that has messages, or a marker.
type turn struct {
	next   *turn
	runner interface{ run() }
}

func (t *turn) link() **turn { return &t.next }

func newWorkers(n int) *workers {
	w := &workers{all: make([]*worker, n), noTurn: new(turn), noLetter: new(letter)}
	noPost := new(post)
	for i := range w.all {
		w.all[i] = &worker{number: i, turns: pile[turn, *turn]{end: w.noTurn}, wake: make(chan struct{}, 1), noPost: noPost}
	}
	return w
}

// newMailbox makes the mailbox of an actor, which the next of the workers will run.
func (w *workers) newMailbox() *mailbox {
	m := &mailbox{letters: pile[letter, *letter]{end: w.noLetter}, worker: w.all[int(w.next.Add(1))%len(w.all)]}
	m.turn.runner = m
	return m
}

// tallies are those of all workers.
func (w *workers) tallies() []*tally {
	var all []*tally
	for _, worker := range w.all {
		all = append(all, &worker.tally)
	}
	return all
}

func (w *workers) start() {
	for _, worker := range w.all {
		w.done.Go(worker.work)
	}
}

// stop ends the workers; the actors that they ran must have stopped.
func (w *workers) stop() {
	for _, worker := range w.all {
		worker.quit.Store(true)
		worker.schedule(&turn{runner: farewell{}})
	}
	w.done.Wait()
}

// farewell wakes a worker that is to quit.
type farewell struct{}

func (farewell) run() {}

// after calls passed, once, when every worker has run what was scheduled before.
func (w *workers) after(passed func()) {
	m := &marker{passed: passed}
	m.left.Store(int32(len(w.all)))
	for _, worker := range w.all {
		worker.schedule(&turn{runner: m})
	}
}

// marker stands in every worker's queue.
type marker struct {
	left   atomic.Int32
	passed func()
}

func (m *marker) run() {
	if m.left.Add(-1) == 0 {
		m.passed()
	}
}

// turnstile waits for a worker to come by. It serves one goroutine.
type turnstile struct {
	turn   turn
	passed chan struct{} // capacity 1
}

func newTurnstile() *turnstile {
	t := &turnstile{passed: make(chan struct{}, 1)}
	t.turn.runner = t
	return t
}

func (t *turnstile) run() { t.passed <- struct{}{} }

// await returns when the worker has run what was scheduled before.
func (t *turnstile) await(w *worker) {
	w.schedule(&t.turn)
	<-t.passed
}

// schedule queues a turn, which is in no queue.
func (w *worker) schedule(t *turn) {
	if w.turns.add(t) {
		w.wake <- struct{}{} // has room: the worker has taken the last one before it rested, or never got one
	}
}

func (w *worker) work() {
	for {
		<-w.wake
		for working := true; working; working = !w.turns.rest() {
			for t := w.turns.take(); t != nil; {
				next := t.next // running lets the turn be queued again
				t.runner.run()
				t = next
				w.step()
			}
		}
		if w.quit.Load() {
			return
		}
	}
}

// step is called after each actor that was run.
func (w *worker) step() {
	if w.steps++; w.steps%stepsBeforeYield == 0 {
		runtime.Gosched()
	}
}
