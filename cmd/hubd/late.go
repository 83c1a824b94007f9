package main

import (
	"errors"
	"sync/atomic"

	"hubd/actors"
	"hubd/mercure"
)

var errNotReady = errors.New("hub is starting: its store is not open yet")

// lateHub stands for the hub while it starts: the servers run before it, and say that it is not ready.
type lateHub struct{ hub atomic.Pointer[actors.Hub] }

func (l *lateHub) set(h *actors.Hub) { l.hub.Store(h) }
func (l *lateHub) isSet() bool       { return l.hub.Load() != nil }

func (l *lateHub) Publish(u *mercure.Update) (string, error) {
	if h := l.hub.Load(); h != nil {
		return h.Publish(u)
	}
	return "", errNotReady
}

func (l *lateHub) Prepare(ms []mercure.Matcher) (*actors.Subscription, error) {
	if h := l.hub.Load(); h != nil {
		return h.Prepare(ms)
	}
	return nil, errNotReady
}

func (l *lateHub) Resolve(id string) (*actors.Cursor, error) {
	if h := l.hub.Load(); h != nil {
		return h.Resolve(id)
	}
	return nil, errNotReady
}

func (l *lateHub) Subscriptions() ([]mercure.Subscription, error) {
	if h := l.hub.Load(); h != nil {
		return h.Subscriptions()
	}
	return nil, errNotReady
}

func (l *lateHub) LastEventID() string {
	if h := l.hub.Load(); h != nil {
		return h.LastEventID()
	}
	return mercure.Earliest
}

func (l *lateHub) Subscribe(s *actors.Subscription) error {
	if h := l.hub.Load(); h != nil {
		return h.Subscribe(s)
	}
	return errNotReady
}
