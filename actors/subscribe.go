package actors

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/topics"
)

// Cursor is where a subscriber wants its history to begin.
type Cursor struct {
	// Position is that of the last event seen; 0 with Known false stands for the beginning.
	Position uint64
	// Known says that the event is retained. Otherwise the stream begins with the oldest that is.
	Known bool
	// ID is the last event's id, or mercure.Earliest if it is not known: what the response says that the
	// stream begins after ("Reconnection").
	ID string
	// Oldest is the id of the oldest event retained, if the one asked for is not; empty if there is none.
	Oldest string
}

// Subscription is what a stream is opened with; Prepare makes it.
type Subscription struct {
	// Want are the matchers that select what is delivered, and Grants those that allow private updates.
	Want, Grants *topics.Set
	// Cursor is where history begins; nil for live events only.
	Cursor *Cursor
	// Identity is whom the token names; nil for nobody.
	Identity *Identity
	// Expires is when the token ends; zero for never.
	Expires time.Time
	// Lifetime is the longest life of the stream; zero is no bound. It is shortened by up to a tenth at
	// random, so that streams that began together do not end together.
	Lifetime time.Duration
	// Ends is when the stream ends, in place of Lifetime; zero for Lifetime.
	Ends time.Time
	// Continued says that the stream was opened by a hub that has released it.
	Continued bool
	// ID identifies the stream to those who ask about it, and Opened is when it was opened; now if zero.
	ID     StreamID
	Opened time.Time
	// Subscriptions are what others may know of the subscriber; none if subscriptions are not tracked.
	Subscriptions []mercure.Subscription
	// Conn carries the stream, and Prelude is written to it first.
	Conn    Conn
	Prelude []byte
}

// Prepare makes a subscription that wants what the matchers select; the caller fills in the rest.
// Errors wrap topics.ErrSelector and are fit to be sent to the client.
func (h *Hub) Prepare(ms []mercure.Matcher) (*Subscription, error) {
	want, err := h.o.Space.NewSet(ms)
	if err != nil {
		return nil, err
	}
	return &Subscription{Want: want}, nil
}

// Matchers returns the matchers that the subscription has, each once.
func (o *Subscription) Matchers() []mercure.Matcher {
	selectors := o.Want.Selectors()
	ms := make([]mercure.Matcher, len(selectors))
	for i, sel := range selectors {
		ms[i] = sel.Matcher()
	}
	return ms
}

// Subscriptions lists the active subscriptions that are tracked.
func (h *Hub) Subscriptions() ([]mercure.Subscription, error) {
	h.mu.Lock()
	running := h.started && !h.stopping
	h.mu.Unlock()
	if !running {
		return nil, ErrStopping
	}
	reply := make(chan []mercure.Subscription, 1)
	h.toHub(census{reply})
	select {
	case all := <-reply:
		return all, nil
	case <-h.broken:
	case <-h.quit:
	}
	return nil, ErrStopping
}

// Resolve turns the id that a client gave as its last event into a cursor.
func (h *Hub) Resolve(id string) (*Cursor, error) {
	if id != mercure.Earliest {
		position, found, err := h.find(id)
		if err != nil {
			return nil, fmt.Errorf("looking up event %q: %w", id, err)
		}
		if found {
			return &Cursor{Position: position, Known: true, ID: id}, nil
		}
		h.stats.misses.Add(1)
	}
	before, _ := h.o.Log.Bounds()
	c := &Cursor{Position: before, ID: mercure.Earliest}
	oldest, err := h.o.Log.Read(before, 1)
	if err != nil {
		return nil, fmt.Errorf("reading the oldest event: %w", err)
	}
	if len(oldest) > 0 {
		c.Oldest = oldest[0].ID()
	}
	return c, nil
}

// findTime bounds how long a client waits for its cursor to be looked for in what other hubs stored.
const findTime = 5 * time.Second

// find looks the event up. A client that comes from another hub may have seen one that this hub is about to hear of.
func (h *Hub) find(id string) (position uint64, found bool, err error) {
	position, found, err = h.o.Log.Find(id)
	shared, is := h.o.Log.(persistence.Shared)
	if err != nil || found || !is {
		return position, found, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), findTime)
	defer cancel()
	if err := shared.Refresh(ctx); err != nil {
		return 0, false, err
	}
	return h.o.Log.Find(id)
}

// expiryMargin is how long before its token's end a stream ends: no later than exp ("Subscribers"), and the wheel may be
// two ticks late.
const expiryMargin = 2 * wheelTick

// Subscribe opens a stream. It returns at once; the connection belongs to the hub from then on.
// After an error it still belongs to the caller.
func (h *Hub) Subscribe(o *Subscription) error {
	h.mu.Lock()
	if !h.started || h.stopping {
		h.mu.Unlock()
		return ErrStopping
	}
	h.streams.Add(1)
	h.mu.Unlock()

	now := time.Now()
	s := &Subscriber{
		hub: h, conn: o.Conn, want: o.Want, grants: o.Grants,
		identity: o.Identity, prelude: o.Prelude, member: -1,
	}
	if !o.Expires.IsZero() {
		s.expires = o.Expires.Add(-expiryMargin)
	}
	s.deadline.subscriber = s
	if o.Opened.IsZero() {
		o.Opened = now
	}
	s.past = past{id: o.ID, opened: o.Opened.UnixNano(), continued: o.Continued}
	if len(o.Subscriptions) > 0 {
		s.presence = &presence{subscriptions: o.Subscriptions}
		if o.Continued {
			s.presence.state = present
		}
	}
	switch {
	case !o.Ends.IsZero():
		s.lifetime = o.Ends
	case o.Lifetime > 0:
		s.lifetime = now.Add(o.Lifetime - rand.N(o.Lifetime/10+1))
	}
	if o.Cursor != nil {
		s.cursor, s.anchored = o.Cursor.Position, o.Cursor.Known
		s.past.begun = s.cursor
	}
	h.stats.connected.Add(1)
	h.stats.total.Add(1)
	root := h.o.System.Root
	root.Send(root.Spawn(h.streamers), attach{s, o.Cursor == nil})
	return nil
}
