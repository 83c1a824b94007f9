package actors

import (
	"log/slog"
	"sync"
	"time"

	"hubd/mercure"
)

// announceBatch is how many subscribers are announced in one go, and announceRetry how long the
// announcer waits for a store that took nothing.
const (
	announceBatch = 256
	announceRetry = 250 * time.Millisecond
)

// announcer publishes an event each time a subscription begins or ends ("Subscription Events"). It
// has one goroutine, since appending waits for the disk. What waits for it is bounded by the number of
// streams: one that ends before its beginning was announced is not announced at all.
type announcer struct {
	store   Appender
	hubPath string
	logger  *slog.Logger

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

func newAnnouncer(store Appender, hubPath string, logger *slog.Logger) *announcer {
	a := &announcer{store: store, hubPath: hubPath, logger: logger, quit: make(chan struct{})}
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
		events := a.next()
		if len(events) == 0 {
			return
		}
		for len(events) > 0 {
			batch := make([]*mercure.Event, len(events))
			for i, u := range events {
				batch[i] = mercure.NewEvent(u)
			}
			stored, err := a.store.AppendAll(batch)
			events = events[stored:]
			if err == nil {
				continue
			}
			a.logger.Debug("subscription events wait for the store", slog.Any("error", err))
			select {
			case <-time.After(announceRetry):
			case <-a.quit:
				return
			}
		}
	}
}

// next waits for subscribers to announce and returns the updates about them, or none at the end.
func (a *announcer) next() []*mercure.Update {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		for len(a.waiting) == 0 && !a.closing {
			a.wake.Wait()
		}
		if len(a.waiting) == 0 {
			return nil
		}
		var updates []*mercure.Update
		n := min(len(a.waiting), announceBatch)
		for _, s := range a.waiting[:n] {
			switch s.presence.state {
			case arriving:
				s.presence.state = present
				updates = s.presence.append(updates, a.hubPath, true)
			case leaving:
				updates = s.presence.append(updates, a.hubPath, false)
			}
		}
		clear(a.waiting[:n])
		if a.waiting = a.waiting[n:]; len(a.waiting) == 0 {
			a.waiting = nil
		}
		if len(updates) > 0 {
			return updates
		}
	}
}

func (p *presence) append(updates []*mercure.Update, hubPath string, active bool) []*mercure.Update {
	for _, s := range p.subscriptions {
		s.Active = active
		updates = append(updates, s.Update(hubPath))
	}
	return updates
}
