package actors

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Every turn that is scheduled is run once, whoever schedules it and however often workers fall asleep.
func TestWorkersRunEveryTurnOnce(t *testing.T) {
	t.Parallel()
	w := newWorkers()
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

func BenchmarkWorkersSchedule(b *testing.B) {
	w := newWorkers()
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
