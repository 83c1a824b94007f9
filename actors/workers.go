package actors

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
)

// workers run the lanes of subscriber actors: a goroutine for each core in place of one for each message. A new goroutine's
// stack grows on the way down to the socket, each time, which cost a fifth of the time of a fan-out; these grow once. A
// subscriber never waits, so neither do they.
type workers struct {
	all   []*worker
	lanes []*lane
	// together is how many mailboxes made one after the other share a lane, and given how many were made.
	together uint64
	given    atomic.Uint64
	done     sync.WaitGroup

	noTurn   *turn
	noLetter *letter
}

// worker runs the lanes that it is the home of, in turn, and others' when none of these is due.
type worker struct {
	lanes []*lane
	// due has the bits of its lanes that have something and that nobody runs.
	due atomic.Uint64
	// asleep says that the worker waits, or is about to: whoever unsets it wakes it.
	asleep atomic.Bool
	wake   chan struct{} // capacity 1
	quit   atomic.Bool

	// others are the other workers, the next one first.
	others []*worker
	// latest is the bit of the lane of its own that it ran last, and helped that of another's.
	latest, helped uint64
	_              [64]byte // workers are apart in the cache
}

// newWorkers makes n workers, each the home of at most 64 lanes; mailboxes go to lanes so many at a time.
func newWorkers(n, lanes, together int) *workers {
	if lanes < 1 || lanes > 64 || together < 1 {
		panic(fmt.Sprintf("%d lanes for a worker, %d mailboxes together", lanes, together))
	}
	w := &workers{
		all: make([]*worker, n), lanes: make([]*lane, n*lanes), together: uint64(together),
		noTurn: new(turn), noLetter: new(letter),
	}
	for i := range w.all {
		w.all[i] = &worker{wake: make(chan struct{}, 1), latest: 1, helped: 1}
	}
	for i, worker := range w.all {
		worker.others = append(append(worker.others, w.all[i+1:]...), w.all[:i]...)
	}
	noPost := new(post)
	for i := range w.lanes {
		home := w.all[i%n]
		w.lanes[i] = &lane{number: i, turns: pile[turn, *turn]{end: w.noTurn}, home: home, bit: 1 << len(home.lanes), noPost: noPost}
		home.lanes = append(home.lanes, w.lanes[i])
	}
	return w
}

// newMailbox makes the mailbox of an actor and gives it a lane.
func (w *workers) newMailbox() *mailbox {
	number := (w.given.Add(1) - 1) / w.together % uint64(len(w.lanes))
	m := &mailbox{letters: pile[letter, *letter]{end: w.noLetter}, lane: w.lanes[number]}
	m.turn.runner = m
	return m
}

// tallies are those of all lanes.
func (w *workers) tallies() []*tally {
	var all []*tally
	for _, l := range w.lanes {
		all = append(all, &l.tally)
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
		worker.rouse()
	}
	w.done.Wait()
}

// after calls passed, once, when every lane has run what was scheduled before.
func (w *workers) after(passed func()) {
	m := &marker{passed: passed}
	m.left.Store(int32(len(w.lanes)))
	for _, l := range w.lanes {
		l.schedule(&turn{runner: m})
	}
}

// offer says that a lane of the worker's has something and that nobody runs it. Called by any goroutine.
func (w *worker) offer(l *lane) {
	w.due.Or(l.bit)
	if w.rouse() {
		return
	}
	for _, o := range w.others {
		if o.rouse() {
			return
		}
	}
}

// rouse wakes the worker, if it is asleep.
func (w *worker) rouse() bool {
	if !w.asleep.CompareAndSwap(true, false) {
		return false
	}
	w.wake <- struct{}{}
	return true
}

func (w *worker) work() {
	for {
		l := w.choose()
		for ; l == nil; l = w.choose() {
			// What is offered from here on wakes the worker; what was offered before is looked for once more.
			w.asleep.Store(true)
			if w.idle() && !w.quit.Load() || !w.asleep.CompareAndSwap(true, false) {
				<-w.wake
			}
			if w.quit.Load() && w.idle() {
				return
			}
		}
		if !l.run() {
			l.home.offer(l)
		}
	}
}

// idle reports whether no lane of any worker is due.
func (w *worker) idle() bool {
	if w.due.Load() != 0 {
		return false
	}
	for _, o := range w.others {
		if o.due.Load() != 0 {
			return false
		}
	}
	return true
}

// choose takes a lane that is due: the next of the worker's own, or one of another's, which are gone through in the other
// direction. It returns nil if there is none.
func (w *worker) choose() *lane {
	for due := w.due.Load(); due != 0; due = w.due.Load() {
		later := due &^ (w.latest<<1 - 1)
		if later == 0 {
			later = due
		}
		if l := w.claim(due, bits.TrailingZeros64(later)); l != nil {
			w.latest = l.bit
			return l
		}
	}
	for _, o := range w.others {
		for due := o.due.Load(); due != 0; due = o.due.Load() {
			earlier := due & (w.helped - 1)
			if earlier == 0 {
				earlier = due
			}
			if l := o.claim(due, bits.Len64(earlier)-1); l != nil {
				w.helped = l.bit
				return l
			}
		}
	}
	w.helped = 1 // so that it is the same lanes of another's as a rule, whose streams it has in its cache
	return nil
}

// claim takes one of the worker's lanes that were due, unless others of them have been taken or offered meanwhile.
func (w *worker) claim(due uint64, which int) *lane {
	l := w.lanes[which]
	if !w.due.CompareAndSwap(due, due&^l.bit) {
		return nil
	}
	return l
}
