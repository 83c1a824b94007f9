package actors

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// turnsBeforeYield is how many actors a worker runs before it lets other goroutines have its core:
// those of publishers, the hub actor and the persistence actor. A turn is little more than one write.
const turnsBeforeYield = 32

// workers runs subscriber actors: a dispatcher with a goroutine for each core in place of one for
// each message. A new goroutine's stack grows on the way down to the socket, each time, which cost a
// fifth of the time of a fan-out; these grow once. A subscriber never waits, so neither do they.
type workers struct {
	shards []shard
	next   atomic.Uint32
	done   sync.WaitGroup
}

// shard is one worker's queue: any goroutine pushes, the worker pops, and neither takes a lock. An
// actor is in a queue at most once, so the queues are bounded by the number of streams.
type shard struct {
	head atomic.Pointer[turn]
	tail *turn // the worker's

	// sleeping says that the worker waits for wake; quit that it is to end once its queue is empty.
	sleeping atomic.Bool
	quit     atomic.Bool
	wake     chan struct{}
	_        [64]byte // shards are apart in the cache
}

// turn is an actor that has messages. The queue is Vyukov's intrusive multi-producer queue: a push
// swaps the head and then links it, so a pop may find the queue empty a moment too long, but never
// after the pusher has looked whether the worker sleeps.
type turn struct {
	next atomic.Pointer[turn]
	run  func()
}

func newWorkers(n int) *workers {
	w := &workers{shards: make([]shard, n)}
	for i := range w.shards {
		s := &w.shards[i]
		s.tail = new(turn)
		s.head.Store(s.tail)
		s.wake = make(chan struct{}, 1)
	}
	return w
}

func (w *workers) start() {
	for i := range w.shards {
		w.done.Go(w.shards[i].work)
	}
}

// stop ends the workers; the actors that they ran must have stopped.
func (w *workers) stop() {
	for i := range w.shards {
		w.shards[i].quit.Store(true)
		w.shards[i].rouse()
	}
	w.done.Wait()
}

// Schedule implements actor.Dispatcher.
func (w *workers) Schedule(run func()) {
	s := &w.shards[int(w.next.Add(1))%len(w.shards)]
	t := &turn{run: run}
	s.head.Swap(t).next.Store(t)
	if s.sleeping.Load() {
		s.rouse()
	}
}

// Throughput implements actor.Dispatcher: how many messages an actor may take in its turn.
func (w *workers) Throughput() int { return 300 }

func (s *shard) rouse() {
	if s.sleeping.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

func (s *shard) pop() func() {
	next := s.tail.next.Load()
	if next == nil {
		return nil
	}
	s.tail = next
	run := next.run
	next.run = nil
	return run
}

// rest says that the worker is about to sleep, and returns a turn that came before that could be seen.
func (s *shard) rest() func() {
	s.sleeping.Store(true)
	run := s.pop()
	if run != nil && !s.sleeping.CompareAndSwap(true, false) {
		<-s.wake // someone has roused this worker already
	}
	return run
}

func (s *shard) work() {
	for turns := 0; ; turns++ {
		run := s.pop()
		if run == nil {
			run = s.rest()
		}
		switch {
		case run != nil:
			run()
		case s.quit.Load():
			return
		default:
			<-s.wake
		}
		if turns%turnsBeforeYield == 0 {
			runtime.Gosched()
		}
	}
}
