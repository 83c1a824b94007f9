package actors

import (
	"context"
	"sync"
	"time"
)

// Release ends every stream without touching its connection and returns what another hub needs to go on with them,
// on the same log: Subscribe takes each as it is, with a Conn of that hub. Everything committed was handed to the streams
// before, and what a socket did not take is in the log after the cursor. New streams are refused from here on.
//
// When ctx ends first, the streams that are left end for good.
func (h *Hub) Release(ctx context.Context) []*Subscription {
	to := new(released)
	h.finish(ctx, release{to})
	return to.all()
}

// released collects what streams leave behind.
type released struct {
	mu            sync.Mutex // guards the one below
	subscriptions []*Subscription
}

func (r *released) add(o *Subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscriptions = append(r.subscriptions, o)
}

func (r *released) all() []*Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscriptions
}

// onRelease ends the stream but for its connection.
func (s *Subscriber) onRelease(to *released) {
	if s.state == ended {
		return
	}
	o := s.remainder()
	s.released = true
	s.finish(ReasonHandover)
	to.add(o)
}

// remainder is what is left to do for the client.
func (s *Subscriber) remainder() *Subscription {
	o := &Subscription{
		Want: s.want, Grants: s.grants, Conn: s.conn, Prelude: s.prelude,
		Identity: s.identity, Ends: s.lifetime, Continued: true,
		ID: s.past.id, Opened: time.Unix(0, s.past.opened),
	}
	if s.current != nil {
		s.truncate()
		o.Prelude = s.current.frames
	}
	if s.state != opening {
		o.Cursor = &Cursor{Position: s.cursor, Known: s.anchored}
	}
	if !s.expires.IsZero() {
		o.Expires = s.expires.Add(expiryMargin)
	}
	if s.presence != nil {
		o.Subscriptions = s.presence.subscriptions
	}
	return o
}
