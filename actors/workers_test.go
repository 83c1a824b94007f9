package actors

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

// job is a turn of a test.
type job func()

func (j job) run() { j() }

// Every turn that is scheduled is run once, whoever schedules it and however often workers fall asleep, and no two turns of
// a lane at once.
func TestWorkersRunEveryTurnOnce(t *testing.T) {
	t.Parallel()
	w := newWorkers(3, 2, 1)
	w.start()
	const producers, rounds = 8, 5000
	var ran atomic.Int64
	running := make([]atomic.Bool, len(w.lanes))
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range rounds {
				done := make(chan struct{})
				which := (p + i) % len(w.lanes)
				w.lanes[which].schedule(&turn{runner: job(func() {
					if running[which].Swap(true) {
						t.Error("two turns of a lane run at once")
					}
					ran.Add(1)
					running[which].Store(false)
					close(done)
				})})
				if ran.Load()%3 == 0 {
					<-done // lets workers fall asleep
				}
			}
		})
	}
	wg.Wait()
	passed := make(chan struct{})
	w.after(func() { close(passed) })
	<-passed
	w.stop()
	if got := ran.Load(); got != producers*rounds {
		t.Fatalf("%d of %d turns ran", got, producers*rounds)
	}
}

// A lane that is due is taken by one of the workers that look for one.
func TestLaneIsTakenOnce(t *testing.T) {
	t.Parallel()
	w := newWorkers(3, 8, 1)
	for range 5000 {
		for _, l := range w.lanes {
			l.home.offer(l)
		}
		taken := make([]atomic.Int32, len(w.lanes))
		var wg sync.WaitGroup
		for _, worker := range w.all {
			wg.Go(func() {
				for l := worker.choose(); l != nil; l = worker.choose() {
					taken[l.number].Add(1)
				}
			})
		}
		wg.Wait()
		for i := range taken {
			if n := taken[i].Load(); n != 1 {
				t.Fatalf("lane %d was taken %d times", i, n)
			}
		}
	}
}

// What is scheduled while a worker falls asleep wakes it, and what is scheduled before the end is run.
func TestWorkerFallingAsleepMissesNothing(t *testing.T) {
	t.Parallel()
	w := newWorkers(1, 1, 1)
	w.start()
	const rounds = 200_000
	var ran atomic.Int64
	last := &turn{runner: job(func() { ran.Add(1) })}
	for i := range int64(rounds) {
		w.lanes[0].schedule(last)
		for ran.Load() == i {
			runtime.Gosched()
		}
	}
	w.stop()
	for i := range 5000 {
		w := newWorkers(2, 1, 1)
		w.start()
		for _, l := range w.lanes {
			l.schedule(&turn{runner: job(func() { ran.Add(1) })})
		}
		w.stop()
		if got := ran.Load(); got != int64(rounds+2*(i+1)) {
			t.Fatalf("a turn that was scheduled before the end did not run")
		}
	}
}

// A worker that is held up, as by a system that has taken its core away, holds up the one lane that it runs.
func TestIdleWorkerRunsTheLanesOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorkers(2, 3, 1)
	w.start()
	defer w.stop()
	held, began, stuck := w.lanes[0], make(chan struct{}), make(chan struct{})
	defer close(stuck)
	held.schedule(&turn{runner: job(func() {
		close(began)
		<-stuck
	})})
	<-began
	for _, l := range w.lanes {
		if l == held {
			continue
		}
		done := make(chan struct{})
		l.schedule(&turn{runner: job(func() { close(done) })})
		<-done
	}
}

// A lane that never rests does not keep the others of its worker waiting, whoever runs them.
func TestLanesTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorkers(2, 4, 1)
	home := w.all[0]
	for _, l := range home.lanes {
		home.offer(l)
	}
	for i, worker := range w.all {
		ran := make(map[*lane]int)
		for range 3 * len(home.lanes) {
			l := worker.choose()
			ran[l]++
			home.offer(l)
		}
		for _, l := range home.lanes {
			if ran[l] != 3 {
				t.Errorf("worker %d ran lane %d %d times, want 3", i, l.number, ran[l])
			}
		}
	}
}

// Streams that begin one after the other share a lane, and all lanes get as many.
func TestNeighboursShareALane(t *testing.T) {
	t.Parallel()
	w := newWorkers(2, 2, 3)
	count := make(map[*lane]int)
	for i := range 24 {
		l := w.newMailbox().lane
		if want := w.lanes[i/3%4]; l != want {
			t.Errorf("actor %d is in lane %d, want %d", i, l.number, want.number)
		}
		count[l]++
	}
	for _, l := range w.lanes {
		if count[l] != 6 {
			t.Errorf("lane %d has %d actors, want 6", l.number, count[l])
		}
	}
}

// A pile tells one sender for each time that the receiver rested, and keeps the order of each sender.
func TestPileTellsOnceAndKeepsOrder(t *testing.T) {
	t.Parallel()
	p := pile[letter, *letter]{end: new(letter)}
	if !p.add(&letter{message: 1}) {
		t.Fatal("the receiver of a new pile is not told")
	}
	if p.add(&letter{message: 2}) {
		t.Fatal("the receiver is told twice")
	}
	first := p.take()
	if first.message != 1 || first.next.message != 2 || first.next.next != nil {
		t.Fatal("the items are not in the order in which they came")
	}
	if p.add(&letter{message: 3}) {
		t.Fatal("a receiver at work is told")
	}
	if p.rest() {
		t.Fatal("the receiver rests on an item")
	}
	if last := p.take(); last.message != 3 || last.next != nil {
		t.Fatal("the third item is not alone")
	}
	if !p.rest() || !p.add(&letter{message: 4}) {
		t.Fatal("a receiver that rested is not told")
	}
}

// Messages of many senders arrive in each sender's order, each once, and the actor runs on one goroutine at a time.
func TestMailboxKeepsTheOrderOfEachSender(t *testing.T) {
	t.Parallel()
	w := newWorkers(2, 2, 1)
	w.start()
	defer w.stop()
	const senders, messages = 8, 2000
	type message struct{ sender, number int }
	var running atomic.Bool
	var got [senders]int
	var all sync.WaitGroup
	all.Add(senders * messages)
	m := w.newMailbox()
	m.RegisterHandlers(&invoker{user: func(x any) {
		if running.Swap(true) {
			t.Error("two messages are delivered at once")
		}
		next := x.(message)
		if next.number != got[next.sender] {
			t.Errorf("sender %d: message %d came when %d was next", next.sender, next.number, got[next.sender])
		}
		got[next.sender]++
		running.Store(false)
		all.Done()
	}}, nil)
	for s := range senders {
		go func() {
			for i := range messages {
				m.PostUserMessage(message{s, i})
			}
		}()
	}
	all.Wait()
}

// After a panic no user message is delivered, and system messages still are: the one that stops the actor.
func TestMailboxAfterAPanicTakesSystemMessagesAlone(t *testing.T) {
	t.Parallel()
	w := newWorkers(1, 1, 1)
	w.start()
	defer w.stop()
	var delivered []any
	stopped := make(chan struct{})
	m := w.newMailbox()
	m.RegisterHandlers(&invoker{
		user: func(x any) {
			delivered = append(delivered, x)
			panic("defect")
		},
		system: func(x any) {
			delivered = append(delivered, x)
			close(stopped)
		},
		failure: func(reason, message any) {
			if reason != "defect" || message != "first" {
				t.Errorf("failure %v on %v", reason, message)
			}
			m.PostSystemMessage(&actor.SuspendMailbox{})
			m.PostUserMessage("third")
			m.PostSystemMessage("stop")
		},
	}, nil)
	w.lanes[0].schedule(&turn{runner: job(func() {
		m.PostUserMessage("first")
		m.PostUserMessage("second")
	})})
	<-stopped
	if len(delivered) != 2 || delivered[1] != "stop" {
		t.Errorf("delivered: %v, want the first message and the stop", delivered)
	}
}

// invoker is an actor's context as its mailbox sees it.
type invoker struct {
	user, system func(any)
	failure      func(reason, message any)
}

func (i *invoker) InvokeUserMessage(m any)             { i.user(m) }
func (i *invoker) InvokeSystemMessage(m any)           { i.system(m) }
func (i *invoker) EscalateFailure(reason, message any) { i.failure(reason, message) }

// BenchmarkMailbox is the way of a message into a resting actor and out of it.
func BenchmarkMailbox(b *testing.B) {
	w := newWorkers(2, 2, 1)
	w.start()
	defer w.stop()
	var wg sync.WaitGroup
	boxes := make([]*mailbox, 1024)
	for i := range boxes {
		boxes[i] = w.newMailbox()
		boxes[i].RegisterHandlers(&invoker{user: func(any) { wg.Done() }}, nil)
	}
	message := any(writable{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		wg.Add(1)
		boxes[i%len(boxes)].send(message)
	}
	wg.Wait()
}
