package actors

import (
	"slices"
	"time"

	"hubd/topics"
)

// Identity is whom a stream's token names, as far as it says: the claims "iss", "sub", "jti" and "iat". It is
// immutable; streams of one token share it. Its fields are those of auth.Identity.
type Identity struct {
	Issuer, Subject, ID string
	Issued              time.Time
}

// Revoke ends the streams whose identity Options.Revoked names, and those that follow one of the topics. When it
// returns, each of them has been told so ahead of every event that is stored from then on: none of these reaches
// them, whatever their tokens grant (invariant I3). It returns how many they are.
//
// A stream that is about to open is not missed. It asks to be enrolled before it asks Options.Revoked about
// itself; if the answer came too early, the hub actor has it in its list by the time it looks.
func (h *Hub) Revoke(followed []string) (ended int, err error) {
	h.mu.Lock()
	running := h.started && !h.stopping
	h.mu.Unlock()
	if !running {
		return 0, ErrStopping
	}
	reply := make(chan int, 1)
	h.toHub(revoke{followed, reply})
	select {
	case ended = <-reply:
		return ended, nil
	case <-h.broken:
	case <-h.quit:
	}
	return 0, ErrStopping
}

// revoked reports whether the identity may have no stream any more.
func (h *Hub) revoked(i *Identity) bool {
	return i != nil && h.o.Revoked != nil && h.o.Revoked(i)
}

// revoke tells every stream that is revoked. What was handed over before comes first in its mailbox, what is handed
// over after comes behind and finds it ended.
func (q *sequencer) revoke(followed []string, is func(*Identity) bool) (ended int) {
	for _, s := range q.members {
		if is(s.identity) || follows(s.want, followed) {
			q.tell(s, revoked{})
			ended++
		}
	}
	return ended
}

// follows reports whether the matchers select one of the topics.
func follows(want *topics.Set, names []string) bool { return slices.ContainsFunc(names, want.Match) }

// onRevoked ends the stream. What waits for it is not written: an event that the client has begun to receive
// stays a part.
func (s *Subscriber) onRevoked() { s.end(ReasonRevoked) }
