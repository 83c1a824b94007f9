package persistence

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"hubd/mercure"
)

var (
	// ErrBusy is returned for an event when too many wait already. Trying again later may help.
	ErrBusy = errors.New("store is busy")
	// ErrFailed is wrapped when the log could not append: by the answer to each event of the batch,
	// of which none is known to be stored, and for all events refused until an append succeeds.
	ErrFailed = errors.New("store failed")
	// ErrStopped is returned after Stop.
	ErrStopped = errors.New("store is stopped")
)

// Observer is told what the persistence actor does. It is called by the actor and must not block.
type Observer interface {
	// Commit is called after each batch of events that was committed, with how long that took.
	Commit(d time.Duration, events int)
	// Failing is called when the log fails to append although it did not before, and with nil when it appends again.
	Failing(err error)
}

// Options are those of NewStore. Zero fields take the defaults.
type Options struct {
	// Log is the back end. Required.
	Log Log
	// System runs the actor. Required.
	System *actor.ActorSystem
	// Credits is how many events may wait to be committed; 4096 by default.
	Credits int
	// CreditBytes is how large they may be together; 8 MiB by default. A larger event may wait alone.
	CreditBytes int64
	// BatchEvents and BatchBytes bound what one transaction commits; 1024 and 4 MiB by default.
	BatchEvents int
	BatchBytes  int
	// TrialInterval is how often a store that failed tries the log again; 1s by default.
	TrialInterval time.Duration
	// Observer may be nil.
	Observer Observer
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Credits == 0 {
		o.Credits = 4096
	}
	if o.CreditBytes == 0 {
		o.CreditBytes = 8 << 20
	}
	if o.BatchEvents == 0 {
		o.BatchEvents = 1024
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 4 << 20
	}
	if o.TrialInterval == 0 {
		o.TrialInterval = time.Second
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Validate reports an option that is missing or makes no sense.
func (o Options) Validate() error {
	switch {
	case o.Log == nil:
		return errors.New("the log is missing")
	case o.System == nil:
		return errors.New("the actor system is missing")
	case o.Credits < 0 || o.CreditBytes < 0 || o.BatchEvents < 0 || o.BatchBytes < 0 || o.TrialInterval < 0:
		return errors.New("a bound is negative")
	}
	return nil
}

type noObserver struct{}

func (noObserver) Commit(time.Duration, int) {}
func (noObserver) Failing(error)             {}

// Store is the way of publishers into a log. It owns the persistence actor; the log is its owner's.
// All methods may be called from any goroutine.
type Store struct {
	system   *actor.ActorSystem
	pid      *actor.PID
	credits  *credits
	health   *health
	limits   Limits
	sent     atomic.Int64
	requests sync.Pool // of *request with done

	dispatcher *Dispatcher
	stopping   sync.Once
	stopped    chan struct{} // closed by the actor
}

// NewStore starts a store. It is to be stopped with Stop.
func NewStore(o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("start store: %w", err)
	}
	o = o.withDefaults()
	limits := limitsOf(o.Log)
	if limits.BatchEvents > 0 {
		o.BatchEvents = min(o.BatchEvents, limits.BatchEvents)
	}
	s := &Store{
		system:   o.System,
		limits:   limits,
		credits:  newCredits(o.Credits, o.CreditBytes),
		health:   &health{now: o.Now, interval: o.TrialInterval},
		requests: sync.Pool{New: func() any { return &request{done: make(chan error, 1)} }},
		stopped:  make(chan struct{}),

		dispatcher: NewDispatcher(),
	}
	w := &writer{
		batcher: &batcher{
			log: o.Log, health: s.health, observer: o.Observer, now: o.Now,
			maxEvents: o.BatchEvents, maxBytes: o.BatchBytes,
			probed: func() { s.credits.give(0) },
		},
		sent:    &s.sent,
		yield:   runtime.Gosched,
		stopped: s.stopped,
	}
	props := actor.PropsFromProducer(func() actor.Actor { return w },
		actor.WithMailbox(actor.UnboundedLockfree()), actor.WithDispatcher(s.dispatcher))
	s.pid = o.System.Root.SpawnPrefix(props, "persistence")
	return s, nil
}

// Append stores the event and returns when it is committed, or why it is not: ErrBusy at once when
// too many wait, an error that wraps ErrTooLarge or ErrFailed, or ErrStopped. The event must not be appended twice;
// after ErrBusy, ErrTooLarge, ErrStopped and where the store had failed before the call it was not touched.
func (s *Store) Append(e *mercure.Event) error {
	if err := s.limits.admit(e); err != nil {
		return err
	}
	size := int64(Size(e))
	if err := s.credits.take(size); err != nil {
		return err
	}
	defer s.credits.give(size)
	trial, err := s.health.admit()
	if err != nil {
		return err
	}
	r := s.requests.Get().(*request)
	r.event, r.trial = e, trial
	s.send(r)
	err = <-r.done
	r.event = nil
	s.requests.Put(r)
	return err
}

func (s *Store) send(r *request) {
	s.system.Root.Send(s.pid, r)
	s.sent.Add(1)
}

// Waiting returns how many events wait to be committed.
func (s *Store) Waiting() int { return int(s.credits.events.Load()) }

// Err returns nil if the store takes events, and otherwise why not: an error that wraps ErrFailed
// after an append failed, or ErrStopped.
//
// A hub that is not ready gets no publishes that could find out whether the log has recovered. So
// where a trial is due, Err has the actor make one, and a later call returns what came of it.
func (s *Store) Err() error {
	if s.credits.closing.Load() {
		return ErrStopped
	}
	err := s.health.err()
	if err == nil || s.credits.take(0) != nil {
		return err
	}
	if trial, _ := s.health.admit(); !trial {
		s.credits.give(0)
		return err
	}
	s.send(&request{trial: true}) // the actor gives the credit back
	return err
}

// Stop refuses further events, waits until all that wait were answered, and stops the actor. The log
// stays open. It may be called more than once; every call returns when the store has stopped.
func (s *Store) Stop() {
	s.stopping.Do(func() {
		s.credits.close()
		s.system.Root.Stop(s.pid)
		<-s.stopped
		s.dispatcher.Join()
	})
}
