package actors

import (
	"math/rand/v2"
	"strconv"
	"time"

	"hubd/topics"
)

// state is where a subscriber is in its life; see the package comment for the transitions.
type state uint8

const (
	opening state = iota
	reading
	joining
	live
	ended
)

// Subscriber is one stream: a cursor on the log, a connection, and what waits between the two. Its
// exported methods may be called from any goroutine; the rest belongs to its actor but for what says otherwise.
//
// What every delivery needs comes first: of ten thousand streams none is in the processor's cache when its turn comes.
type Subscriber struct {
	conn Conn
	// cursor is the position up to which everything was written or is in current.
	cursor uint64
	// lastWrite is the time of the last successful write.
	lastWrite time.Time

	state state
	// joined says that the hub hands over every event after the cursor, or after past.liveFrom while reading: history must be
	// read up to there before live events follow.
	joined bool
	// stalled says that the socket is full.
	stalled bool
	// asked says that a page is on its way.
	asked bool
	// anchored says that the cursor is an event seen by the client, or one that was skipped for it, so a gap after it
	// is a loss.
	anchored bool
	// draining says that the stream ends at lifetime because the hub stops.
	draining bool
	// released says that another hub goes on with the stream.
	released bool
	// catching says that the stream counts as catching up.
	catching bool

	// current is the batch that the socket did not take whole, and offset what it did take of it.
	current *batch
	pending []*batch
	// prelude is written before any event: the response's head.
	prelude []byte
	offset  int
	// queued is what current and pending hold, in bytes.
	queued count

	hub mailer
	// inbox is the actor's mailbox.
	inbox *mailbox

	// stalledAfter is how much later than lastWrite the socket was found full, if it is.
	stalledAfter      time.Duration
	lifetime, expires time.Time
	deadline          deadline

	// want and grants are immutable: the matchers that route, and those that allow private events.
	want, grants *topics.Set

	// identity is whom the token names, nil for nobody; streams of one token share it.
	identity *Identity

	// presence is what others may know of the subscriber; nil for nothing.
	presence *presence

	// Owned by the hub actor: the places in its lists.
	audience      *audience
	place, member int32

	// past is for those who ask what became of an event. When the stream has ended it is the hub actor's; before, all of it is
	// the actor's own but id, opened and continued, which are immutable.
	past past
}

// heartbeat is an SSE comment: the client ignores it, proxies see traffic, and a dead peer shows.
const heartbeat = ":\n"

// Hangup tells the subscriber that its client is gone.
func (s *Subscriber) Hangup() { s.hub.toSubscriber(s, hungUp{}) }

// Writable tells the subscriber that its full socket has room again.
func (s *Subscriber) Writable() { s.hub.toSubscriber(s, writable{}) }

// begin starts the stream: one with a cursor reads history first.
func (s *Subscriber) begin(live bool) {
	if s.state == ended {
		return
	}
	now := s.hub.now()
	s.lastWrite = now
	s.rearm(now)
	s.hub.toHub(enrol{s, live})
	if s.hub.revoked(s.identity) { // in this order; see Hub.Revoke
		s.onRevoked()
		return
	}
	if live {
		return
	}
	s.state = reading
	s.catchingUp(true)
	s.flush()
	s.proceed()
}

// onJoined: from here on the hub hands over every event after the position.
func (s *Subscriber) onJoined(at uint64) {
	if s.state == ended {
		return
	}
	s.joined = true
	s.past.joined(at, s.hub.now())
	switch {
	case s.state == opening:
		s.cursor, s.anchored, s.past.begun = at, true, at
		s.live()
	case s.cursor >= at:
		s.live()
	default:
		s.state = reading
		s.proceed()
	}
}

func (s *Subscriber) live() {
	s.state = live
	s.catchingUp(false)
	s.flush()
}

// onPage writes a page of history.
func (s *Subscriber) onPage(p *page) {
	s.asked = false
	switch {
	case s.state == ended:
		return
	case p.err != nil:
		s.end(ReasonStore)
		return
	case p.gap:
		s.end(ReasonBehind)
		return
	}
	if p.upto > s.cursor {
		s.anchored = true
	}
	if !s.writePage(p) || s.state == ended {
		return
	}
	s.cursor = max(s.cursor, p.upto)
	if p.end && !s.joined && s.state == reading {
		s.join()
		return
	}
	s.proceed()
}

// join asks the hub for live events: history has been read to its end.
func (s *Subscriber) join() {
	s.state = joining
	s.hub.toHub(join{s})
}

// proceed takes a reading subscriber's next step, unless it waits for its socket or for a page.
func (s *Subscriber) proceed() {
	if s.state != reading || s.asked || s.current != nil || s.prelude != nil {
		return
	}
	switch {
	case s.joined && s.cursor >= s.past.liveFrom:
		s.live()
	case !s.joined && s.anchored && s.cursor >= s.hub.counters().Dispatched():
		s.join()
	default:
		s.asked = true
		s.hub.read(&readRequest{s: s, after: s.cursor, anchored: s.anchored})
	}
}

// onWritable goes on where the full socket made it stop.
func (s *Subscriber) onWritable() {
	if s.state == ended {
		return
	}
	s.flush()
	s.proceed()
}

// onDrain sets the end of the stream and tells the client when to come back: not all at once.
func (s *Subscriber) onDrain(at time.Time) {
	if s.state == ended {
		return
	}
	s.draining = true
	if s.lifetime.IsZero() || at.Before(s.lifetime) {
		s.lifetime = at
	}
	s.rearm(s.hub.now())
}

// onTick serves whatever deadline has come.
func (s *Subscriber) onTick() {
	if s.state == ended {
		return
	}
	now := s.hub.now()
	switch {
	case !s.expires.IsZero() && !now.Before(s.expires):
		s.end(ReasonExpired)
	case !s.lifetime.IsZero() && !now.Before(s.lifetime):
		s.farewell()
	case s.stalled && now.Sub(s.stalledSince()) >= s.hub.limits().dispatch:
		s.end(ReasonStalled)
	default:
		if h := s.hub.limits().heartbeat; h > 0 && s.current == nil && s.prelude == nil && now.Sub(s.lastWrite) >= h {
			s.beat()
		}
		if s.state != ended {
			s.rearm(now)
		}
	}
}

func (s *Subscriber) beat() {
	n, err := s.conn.Write([]byte(heartbeat))
	if err != nil {
		s.end(ReasonWriteError)
		return
	}
	s.lastWrite = s.hub.now()
	if n < len(heartbeat) {
		s.stall()
		s.current, s.offset = &batch{frames: []byte(heartbeat), marks: []mark{{s.cursor, len(heartbeat)}}, accepted: s.lastWrite}, n
	}
}

// farewell ends a stream that lived long enough; the client comes back after a time of its own.
func (s *Subscriber) farewell() {
	reason := ReasonLifetime
	if s.draining {
		reason = ReasonShutdown
		if s.current == nil {
			// The connection ends next: whether the client reads this is up to it.
			_, _ = s.conn.Write(Retry())
		}
	}
	s.end(reason)
}

// Retry is what a hub that ends a stream writes last: when to come back, for each client at another time.
func Retry() []byte {
	return append(strconv.AppendInt([]byte("retry: "), 500+rand.Int64N(2500), 10), "\n\n"...)
}

// rearm sets the wheel to the next of the deadlines.
func (s *Subscriber) rearm(now time.Time) {
	var next time.Time
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if h := s.hub.limits().heartbeat; h > 0 {
		if at := s.lastWrite.Add(h); at.After(now) {
			sooner(at)
		} else {
			sooner(now.Add(h))
		}
	}
	if s.stalled {
		sooner(s.stalledSince().Add(s.hub.limits().dispatch))
	}
	if !s.lifetime.IsZero() {
		sooner(s.lifetime)
	}
	if !s.expires.IsZero() {
		sooner(s.expires)
	}
	if !next.IsZero() {
		s.hub.arm(&s.deadline, next)
	}
}

// end closes the stream for good. The hub answers with left, after which the actor stops.
func (s *Subscriber) end(r Reason) {
	if s.state == ended {
		return
	}
	_ = s.conn.Close()
	s.finish(r)
}

// finish leaves the hub. The connection is closed, or another hub's.
func (s *Subscriber) finish(r Reason) {
	s.catchingUp(false)
	s.state, s.joined, s.cursor = ended, false, s.reached()
	s.hub.disarm(&s.deadline)
	for _, b := range s.pending {
		s.uncount(b)
	}
	if s.current != nil {
		s.uncount(s.current)
	}
	s.pending, s.current, s.prelude = nil, nil, nil
	s.hub.gone(s, r)
	s.hub.toHub(leave{s, r, s.hub.now()})
}

func (s *Subscriber) catchingUp(on bool) {
	if on == s.catching {
		return
	}
	s.catching = on
	if on {
		s.hub.counters().catchup.Add(1)
	} else {
		s.hub.counters().catchup.Add(-1)
	}
}
