package main

import (
	"fmt"
	"sync/atomic"

	"hubd/actors"
	"hubd/mercure"
	"hubd/sse"
)

var (
	errNotReady   = fmt.Errorf("%w: its store is not open", sse.ErrUnavailable)
	errStoreFails = fmt.Errorf("%w: its store fails", sse.ErrUnavailable)
)

// lateHub is the hub as the servers see it, which run before the store is open and while it is handed over.
type lateHub struct{ engine atomic.Pointer[engine] }

// stats are the hub's counters, or zeros.
func (l *lateHub) stats() *actors.Stats {
	if e := l.engine.Load(); e != nil {
		return e.hub.Stats()
	}
	return new(actors.Stats)
}

// lag is how many stored events wait for the fan-out, publishesHeld how many publishes ever waited for it, and waiting how
// many events wait to be stored; all are 0 without an engine.
func (l *lateHub) lag() uint64 {
	if e := l.engine.Load(); e != nil {
		return e.hub.Lag()
	}
	return 0
}

func (l *lateHub) publishesHeld() uint64 {
	if e := l.engine.Load(); e != nil {
		return e.hub.PublishesHeld()
	}
	return 0
}

func (l *lateHub) waiting() int {
	if e := l.engine.Load(); e != nil {
		return e.appender.Waiting()
	}
	return 0
}

func (l *lateHub) hub() (*actors.Hub, error) {
	if e := l.engine.Load(); e != nil {
		return e.hub, nil
	}
	return nil, errNotReady
}

func (l *lateHub) Publish(u *mercure.Update) (string, error) {
	h, err := l.hub()
	if err != nil {
		return "", err
	}
	return h.Publish(u)
}

func (l *lateHub) Prepare(ms []mercure.Matcher) (*actors.Subscription, error) {
	h, err := l.hub()
	if err != nil {
		return nil, err
	}
	return h.Prepare(ms)
}

func (l *lateHub) Resolve(id string) (*actors.Cursor, error) {
	h, err := l.hub()
	if err != nil {
		return nil, err
	}
	return h.Resolve(id)
}

func (l *lateHub) Subscriptions() ([]mercure.Subscription, error) {
	if e := l.engine.Load(); e != nil {
		return e.subscriptions()
	}
	return nil, errNotReady
}

func (l *lateHub) Revoke(topics []string) (int, error) {
	if e := l.engine.Load(); e != nil {
		return e.revokeTopics(topics)
	}
	return 0, errNotReady
}

func (l *lateHub) LastEventID() string {
	h, err := l.hub()
	if err != nil {
		return mercure.Earliest
	}
	return h.LastEventID()
}

func (l *lateHub) Subscribe(s *actors.Subscription) error {
	h, err := l.hub()
	if err != nil {
		return err
	}
	return h.Subscribe(s)
}
