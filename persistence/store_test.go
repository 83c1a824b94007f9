package persistence

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hubd/mercure"
)

// gate is a log whose appends wait until they are let go.
type gate struct {
	stubLog
	entered chan int // gets the size of each batch
	leave   chan error
}

func newGate() *gate {
	g := &gate{entered: make(chan int), leave: make(chan error)}
	g.append = func(batch []*mercure.Event) error {
		g.entered <- len(batch)
		return <-g.leave
	}
	return g
}

func newStore(t *testing.T, o Options) *Store {
	t.Helper()
	o.System = newSystem(t)
	s, err := NewStore(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// publish appends n events on goroutines of their own, and returns when all are in the mailbox.
func publish(s *Store, n int) (errs chan error) {
	errs = make(chan error, n)
	want := s.sent.Load() + int64(n)
	for range n {
		go func() { errs <- s.Append(newEvent(10)) }()
	}
	for s.sent.Load() < want {
		runtime.Gosched()
	}
	return errs
}

func wantErrors(t *testing.T, errs chan error, want error) {
	t.Helper()
	for range cap(errs) {
		if err := <-errs; !errors.Is(err, want) {
			t.Errorf("append: %v, want %v", err, want)
		}
	}
}

func TestStoreGroupsWhatWaitsDuringACommit(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{Log: g})
	first := publish(s, 1)
	if n := <-g.entered; n != 1 {
		t.Fatalf("the first batch has %d events", n)
	}
	rest := publish(s, 20)
	if n := s.Waiting(); n != 21 {
		t.Errorf("%d events wait, want 21", n)
	}
	g.leave <- nil
	if n := <-g.entered; n != 20 {
		t.Errorf("the second batch has %d events, want all 20 that waited", n)
	}
	g.leave <- nil
	wantErrors(t, first, nil)
	wantErrors(t, rest, nil)
	for s.Waiting() > 0 {
		runtime.Gosched()
	}
}

func TestStoreRefusesWhatExceedsItsCredits(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{Log: g, Credits: 3})
	first := publish(s, 1)
	<-g.entered
	waiting := publish(s, 2)
	for range 3 {
		e := newEvent(1)
		if err := s.Append(e); !errors.Is(err, ErrBusy) || e.Position != 0 {
			t.Fatalf("append: %v, want ErrBusy", err)
		}
	}
	g.leave <- nil
	<-g.entered
	g.leave <- nil
	wantErrors(t, first, nil)
	wantErrors(t, waiting, nil)
	g.append = nil
	if err := s.Append(newEvent(1)); err != nil {
		t.Errorf("append when credits are back: %v", err)
	}
}

func TestStoreFailsAndRecovers(t *testing.T) {
	t.Parallel()
	c, g := &clock{at: time.Unix(1000, 0)}, newGate()
	s := newStore(t, Options{Log: g, Now: c.now})
	cause := errors.New("input/output error")

	failing := publish(s, 1)
	<-g.entered
	behind := publish(s, 5)
	if err := s.Err(); err != nil {
		t.Fatalf("before the failure: %v", err)
	}
	g.leave <- cause
	wantErrors(t, failing, cause)
	wantErrors(t, behind, ErrFailed) // without another append
	for range 3 {
		if err := s.Append(newEvent(1)); !errors.Is(err, ErrFailed) || !errors.Is(s.Err(), cause) {
			t.Fatalf("append: %v, health: %v", err, s.Err())
		}
	}

	c.at = c.at.Add(time.Second)
	trial := publish(s, 1)
	<-g.entered
	if err := s.Append(newEvent(1)); !errors.Is(err, ErrFailed) {
		t.Fatalf("append beside the trial: %v", err)
	}
	g.leave <- cause
	wantErrors(t, trial, cause)

	c.at = c.at.Add(time.Second)
	trial = publish(s, 1)
	<-g.entered
	g.leave <- nil
	wantErrors(t, trial, nil)
	if err := s.Err(); err != nil {
		t.Errorf("after the recovery: %v", err)
	}
	after := publish(s, 1)
	<-g.entered
	g.leave <- nil
	wantErrors(t, after, nil)
}

// A load balancer sends nothing to a hub that is not ready, so asking for the health has to do.
func TestStoreRecoversWithoutPublishes(t *testing.T) {
	t.Parallel()
	c, g := &clock{at: time.Unix(1000, 0)}, newGate()
	s := newStore(t, Options{Log: g, Now: c.now})
	failing := publish(s, 1)
	<-g.entered
	g.leave <- errors.New("input/output error")
	wantErrors(t, failing, ErrFailed)

	c.at = c.at.Add(time.Second)
	if err := s.Err(); !errors.Is(err, ErrFailed) {
		t.Fatalf("health: %v, want ErrFailed until the trial is over", err)
	}
	if n := <-g.entered; n != 0 {
		t.Fatalf("the trial appends %d events", n)
	}
	if err := s.Err(); !errors.Is(err, ErrFailed) || s.Waiting() != 1 {
		t.Fatalf("health: %v with %d trials, want one", err, s.Waiting())
	}
	g.leave <- nil
	for s.Waiting() > 0 {
		runtime.Gosched()
	}
	if err := s.Err(); err != nil {
		t.Errorf("after the trial: %v", err)
	}
}

func TestStoreSurvivesAPanicOfTheLog(t *testing.T) {
	t.Parallel()
	c, log := &clock{at: time.Unix(1000, 0)}, &stubLog{}
	log.append = func([]*mercure.Event) error { panic("page 7: assertion failed") }
	s := newStore(t, Options{Log: log, Now: c.now})
	for range 30 { // more often than supervision restarts an actor
		if err := s.Append(newEvent(1)); !errors.Is(err, ErrFailed) {
			t.Fatalf("append: %v, want ErrFailed", err)
		}
		c.at = c.at.Add(time.Second)
	}
	log.append = nil
	if err := s.Append(newEvent(1)); err != nil {
		t.Errorf("append when the log works again: %v", err)
	}
}

func TestStoreStopFlushesWhatWaits(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := newStore(t, Options{Log: g})
	waiting := publish(s, 1)
	<-g.entered
	behind := publish(s, 4)
	stopped := make(chan struct{})
	go func() {
		s.Stop()
		close(stopped)
	}()
	for !s.credits.closing.Load() {
		runtime.Gosched()
	}
	if err := s.Append(newEvent(1)); !errors.Is(err, ErrStopped) || !errors.Is(s.Err(), ErrStopped) {
		t.Errorf("append while stopping: %v, health: %v", err, s.Err())
	}
	select {
	case <-stopped:
		t.Fatal("stopped while events wait")
	default:
	}
	g.leave <- nil
	<-g.entered
	g.leave <- nil
	<-stopped
	wantErrors(t, waiting, nil)
	wantErrors(t, behind, nil)
	s.Stop()
	if err := s.Append(newEvent(1)); !errors.Is(err, ErrStopped) {
		t.Errorf("append after stop: %v", err)
	}
	if !slices.Equal(g.batches, []int{1, 4}) {
		t.Errorf("batches %v, want the one and the four that waited", g.batches)
	}
}

// TestStoreStress has publishers, health checks and stops meet in every order: each append gets one
// answer, and what was answered without error is in the log.
func TestStoreStress(t *testing.T) {
	t.Parallel()
	for range 10 {
		stored := 0
		log := &stubLog{}
		log.append = func(batch []*mercure.Event) error {
			if stored%7 == 3 {
				stored++
				return errors.New("now and then")
			}
			stored += len(batch)
			return nil
		}
		s := newStore(t, Options{Log: log, Credits: 5, BatchEvents: 3, TrialInterval: time.Nanosecond})
		var committed atomic.Int64
		var work sync.WaitGroup
		for range 8 {
			work.Go(func() {
				for {
					switch err := s.Append(newEvent(1)); {
					case err == nil:
						committed.Add(1)
					case errors.Is(err, ErrStopped):
						return
					}
					_ = s.Err()
				}
			})
		}
		for committed.Load() < 20 {
			runtime.Gosched()
		}
		for range 3 {
			work.Go(s.Stop)
		}
		work.Wait()
		total := 0
		for _, n := range log.batches {
			total += n
		}
		if int64(total) != committed.Load() || s.Waiting() != 0 {
			t.Fatalf("%d events are in the log, %d were answered, %d wait", total, committed.Load(), s.Waiting())
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	system := newSystem(t)
	for name, o := range map[string]Options{
		"no log":           {System: system},
		"no system":        {Log: &stubLog{}},
		"negative credits": {Log: &stubLog{}, System: system, Credits: -1},
		"negative bytes":   {Log: &stubLog{}, System: system, BatchBytes: -1},
	} {
		if s, err := NewStore(o); err == nil {
			s.Stop()
			t.Errorf("%s: taken", name)
		}
	}
}
