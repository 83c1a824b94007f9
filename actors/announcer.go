package actors

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// announceBatch is how many subscribers are announced in one go, and announceRetry how long the
// announcer waits for a store that took nothing.
const (
	announceBatch = 256
	announceRetry = 250 * time.Millisecond
)

// Directory is where other hubs look subscriptions up, and which ends those of a hub that dies. It is called by one
// goroutine at a time, and may wait.
type Directory interface {
	// Announcing is called before the events about the subscriptions are stored: of those that are Active so that
	// their ends are not forgotten from then on, of the others so that they are not found any more. After an error it is called
	// again with the same ones, and the events wait.
	Announcing(subscriptions []mercure.Subscription) error
	// Announced is called when the events are stored.
	Announced(subscriptions []mercure.Subscription)
}

// announcer publishes an event each time a subscription begins or ends ("Subscription Events"). It
// has one goroutine, since appending waits for the disk. What waits for it is bounded by the number of
// streams: one that ends before its beginning was announced is not announced at all.
type announcer struct {
	store     Appender
	directory Directory // nil for none
	hubPath   string
	logger    *slog.Logger

	mu      sync.Mutex
	wake    *sync.Cond
	waiting []*Subscriber
	closing bool
	quit    chan struct{}
	done    sync.WaitGroup
}

// presence is what others may know of a subscriber. All but state is immutable; state is guarded by
// the announcer's lock.
type presence struct {
	subscriptions []mercure.Subscription
	state         presenceState
}

// arriving ──announced──> present ──left──> leaving
//
//	└──left before──> unseen
type presenceState uint8

const (
	arriving presenceState = iota
	present
	leaving
	unseen
)

func newAnnouncer(store Appender, directory Directory, hubPath string, logger *slog.Logger) *announcer {
	a := &announcer{store: store, directory: directory, hubPath: hubPath, logger: logger, quit: make(chan struct{})}
	a.wake = sync.NewCond(&a.mu)
	return a
}

func (a *announcer) start() { a.done.Go(a.run) }

// flush waits until everything was announced, or the store takes nothing more, and ends the goroutine.
func (a *announcer) flush() {
	a.mu.Lock()
	closing := a.closing
	a.closing = true
	a.mu.Unlock()
	if !closing {
		close(a.quit)
	}
	a.wake.Broadcast()
	a.done.Wait()
}

func (a *announcer) arrived(s *Subscriber) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, s)
	a.wake.Signal()
}

func (a *announcer) departed(s *Subscriber) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.presence.state == arriving {
		s.presence.state = unseen
		return
	}
	s.presence.state = leaving
	a.waiting = append(a.waiting, s)
	a.wake.Signal()
}

func (a *announcer) run() {
	for {
		subscriptions := a.next()
		if len(subscriptions) == 0 {
			return
		}
		if a.directory != nil && !a.insist(func() error { return a.directory.Announcing(subscriptions) }) {
			return
		}
		rest := subscriptions
		if !a.insist(func() error {
			stored, err := a.store.AppendAll(events(rest, a.hubPath))
			rest = rest[stored:]
			if errors.Is(err, persistence.ErrTooLarge) {
				a.logger.Error("a subscription event is larger than the store takes", slog.Any("error", err))
				rest = rest[1:]
			}
			return err
		}) {
			return
		}
		if a.directory != nil {
			a.directory.Announced(subscriptions)
		}
	}
}

// insist calls fn until it succeeds. It reports false if the hub ends before.
func (a *announcer) insist(fn func() error) bool {
	for {
		err := fn()
		if err == nil {
			return true
		}
		a.logger.Debug("subscription events wait for the store", slog.Any("error", err))
		select {
		case <-time.After(announceRetry/2 + rand.N(announceRetry)):
		case <-a.quit:
			return false
		}
	}
}

// events makes the events about the subscriptions. An event that was handed to the store is spent, so each attempt takes
// new ones.
func events(subscriptions []mercure.Subscription, hubPath string) []*mercure.Event {
	batch := make([]*mercure.Event, len(subscriptions))
	for i := range subscriptions {
		batch[i] = mercure.NewEvent(subscriptions[i].Update(hubPath))
	}
	return batch
}

// next waits for subscribers to announce and returns their subscriptions, or none at the end.
func (a *announcer) next() []mercure.Subscription {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		for len(a.waiting) == 0 && !a.closing {
			a.wake.Wait()
		}
		if len(a.waiting) == 0 {
			return nil
		}
		var news []mercure.Subscription
		n := min(len(a.waiting), announceBatch)
		for _, s := range a.waiting[:n] {
			switch s.presence.state {
			case arriving:
				s.presence.state = present
				news = s.presence.append(news, true)
			case leaving:
				news = s.presence.append(news, false)
			}
		}
		clear(a.waiting[:n])
		if a.waiting = a.waiting[n:]; len(a.waiting) == 0 {
			a.waiting = nil
		}
		if len(news) > 0 {
			return news
		}
	}
}

func (p *presence) append(news []mercure.Subscription, active bool) []mercure.Subscription {
	for _, s := range p.subscriptions {
		s.Active = active
		news = append(news, s)
	}
	return news
}
