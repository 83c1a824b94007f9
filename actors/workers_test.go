package actors

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Every turn that is scheduled is run once, whoever schedules it and however often workers fall asleep.
func TestWorkersRunEveryTurnOnce(t *testing.T) {
	t.Parallel()
	w := newWorkers(2)
	w.start()
	const producers, rounds = 8, 5000
	var ran atomic.Int64
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			for range rounds {
				done := make(chan struct{})
				w.Schedule(func() {
					ran.Add(1)
					close(done)
				})
				if ran.Load()%3 == 0 {
					<-done // lets workers fall asleep
				}
			}
		})
	}
	wg.Wait()
	last := make(chan struct{}, len(w.shards))
	for range w.shards {
		w.Schedule(func() { last <- struct{}{} })
	}
	for range w.shards {
		<-last
	}
	w.stop()
	if got := ran.Load(); got != producers*rounds {
		t.Fatalf("%d of %d turns ran", got, producers*rounds)
	}
}

// A worker that has found its queue empty and is about to sleep does not miss the turn that comes just then.
func TestWorkerMissesNoTurnOnFallingAsleep(t *testing.T) {
	t.Parallel()
	w := newWorkers(1)
	s := &w.shards[0]
	if s.pop() != nil {
		t.Fatal("a new queue is not empty")
	}
	ran := false
	w.Schedule(func() { ran = true }) // sees a worker that is awake
	run := s.rest()
	if run == nil {
		t.Fatal("the worker sleeps although there is a turn")
	}
	if run(); !ran || s.sleeping.Load() || len(s.wake) != 0 {
		t.Fatalf("ran: %v, sleeping: %v, roused: %d", ran, s.sleeping.Load(), len(s.wake))
	}
	if s.rest() != nil || !s.sleeping.Load() {
		t.Fatal("a worker with nothing to do does not sleep")
	}
	w.Schedule(func() {})
	if s.sleeping.Load() || len(s.wake) != 1 {
		t.Fatal("a sleeping worker is not roused")
	}
}

func BenchmarkWorkersSchedule(b *testing.B) {
	w := newWorkers(2)
	w.start()
	defer w.stop()
	var wg sync.WaitGroup
	run := wg.Done
	b.ReportAllocs()
	for b.Loop() {
		wg.Add(1)
		w.Schedule(run)
	}
	wg.Wait()
}
