package actors

import (
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"hubd/topics"
)

// StreamID identifies a stream to its client and to operators: a UUID, made at random for the stream alone. Subscription
// events and the subscription API call it the subscriber.
type StreamID [16]byte

const streamIDPrefix = "urn:uuid:"

// ErrStreamID is returned for text that is no id of a stream.
var ErrStreamID = errors.New("id of a stream is not urn:uuid: and a UUID")

// String returns the id as a URN (RFC 9562, section 4).
func (id StreamID) String() string { return string(id.Append(make([]byte, 0, len(streamIDPrefix)+36))) }

// Append appends what String returns.
func (id StreamID) Append(b []byte) []byte {
	b = append(b, streamIDPrefix...)
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// ParseStreamID reads what String wrote; the prefix may be left out.
func ParseStreamID(text string) (id StreamID, err error) {
	digits := strings.TrimPrefix(text, streamIDPrefix)
	if len(digits) != 36 {
		return id, ErrStreamID
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(digits, "-", ""))
	if err != nil || len(raw) != len(id) {
		return id, ErrStreamID
	}
	id = StreamID(raw)
	if !strings.EqualFold(id.String(), streamIDPrefix+digits) {
		return StreamID{}, ErrStreamID
	}
	return id, nil
}

// MarshalText implements encoding.TextMarshaler.
func (id StreamID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *StreamID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseStreamID(string(text))
	return err
}

// past is what a subscriber notes of its own life for those who ask later. It is in every stream, so its times are small:
// a time.Time takes 24 bytes.
type past struct {
	id StreamID
	// opened is when the stream was opened, here or at the hub that this one continued, in nanoseconds since 1970.
	opened int64
	// begun is the position that the stream began after, and liveFrom the one after which events came live.
	begun, liveFrom uint64
	// liveAfter is how many milliseconds after opened they began to, rounded up; zero while they do not.
	liveAfter uint32
	// continued says that the stream was opened by a hub that has released it, overflowed that it was sent back to history.
	continued, overflowed bool
}

func (p *past) openedAt() time.Time { return time.Unix(0, p.opened) }

// joined notes that events come live from the position on.
func (p *past) joined(at uint64, now time.Time) {
	p.liveFrom, p.liveAfter = at, uint32(min(max(now.Sub(p.openedAt())/time.Millisecond, 0)+1, math.MaxUint32))
}

// liveSince returns when events began to come live, zero if they do not, or so long after the stream was opened that it
// is not known.
func (p *past) liveSince() time.Time {
	if p.liveAfter == 0 || p.liveAfter == math.MaxUint32 {
		return time.Time{}
	}
	return p.openedAt().Add(time.Duration(p.liveAfter) * time.Millisecond)
}

// inspection is what the hub knows of a stream with regard to one event. It is made by the subscriber's actor, or by the
// hub actor from what it remembers, and belongs to whoever asked.
type inspection struct {
	past
	want, grants *topics.Set

	// over says that the stream has ended, at that time for the reason.
	over   bool
	ended  time.Time
	reason Reason
	// reached is the position up to which the socket took everything.
	reached uint64
	// live says that the hub hands over what comes; queued are the bytes that wait, and stalled is since when the socket is
	// full, if it is.
	live    bool
	queued  int64
	stalled time.Time
	// waits says that the event is in the queue, and idle that nothing is; lastWrite is then when all of it had been written.
	waits, idle bool
	lastWrite   time.Time

	// dispatched is up to where the hub had fanned out, and fanned when it did so with the event, zero if that is not known.
	dispatched uint64
	fanned     time.Time
}

// onInspect answers, in the subscriber's turn. Everything that the hub actor sent before it has come. Of a stream that has
// ended the hub actor knows more, as soon as it knows of the end.
func (s *Subscriber) onInspect(m inspect) {
	if s.state == ended {
		s.hub.toHub(inquiry{s.past.id, m.position, m.reply})
		return
	}
	has := func(b *batch) bool {
		return slices.ContainsFunc(b.marks, func(of mark) bool { return of.position == m.position })
	}
	i := &inspection{
		past: s.past, want: s.want, grants: s.grants,
		reached: s.reached(), live: s.joined,
		queued: s.queued.load(), lastWrite: s.lastWrite,
		waits:      s.current != nil && has(s.current) || slices.ContainsFunc(s.pending, has),
		idle:       s.current == nil && len(s.pending) == 0 && s.prelude == nil,
		dispatched: m.dispatched, fanned: m.fanned,
	}
	if s.stalled {
		i.stalled = s.stalledSince()
	}
	m.reply <- i
}

// reached is the position up to which the socket has taken everything: the cursor, less what is still in current.
func (s *Subscriber) reached() uint64 {
	b := s.current
	if b == nil || string(b.frames) == heartbeat {
		return s.cursor
	}
	for i, m := range b.marks {
		switch {
		case m.end <= s.offset:
		case i > 0:
			return max(b.marks[i-1].position, s.past.begun)
		default:
			// The batch begins with the next event that the stream wants: it has all that it wants before that.
			return m.position - 1
		}
	}
	return s.cursor
}
