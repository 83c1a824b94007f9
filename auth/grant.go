package auth

import (
	"encoding/json"
	"time"

	"hubd/mercure"
	"hubd/topics"
)

// Grant is what a valid token allows its bearer. It is immutable and may be shared by goroutines;
// nothing in it may be changed.
type Grant struct {
	// Dialect is V1 or V0.
	Dialect Protocol
	// Publish selects the topics that may be published to; an update needs all of its topics in it.
	// Nil selects none.
	Publish *topics.Set
	// Subscribe selects the topics whose private updates may be received; an update needs one of its
	// topics in it. Nil selects none; public updates need no grant.
	Subscribe *topics.Set
	// Expires is when the grant ends and a stream opened with it has to be closed. The zero time,
	// which only 0.x knows, means never.
	Expires time.Time
	// Revoke selects the topics whose streams may be ended, and what stands for ids and subjects of tokens, which
	// may be revoked. Nil selects none. The action is the hub's own ("Mercure Actions Registry").
	Revoke *topics.Set
	// Identity is whom the token names.
	*Identity
	// Bearer tells whose token it is.
	Bearer Bearer

	payloads []payload
}

// payload is the payload for the subscriptions that on selects; nil selects all of them.
type payload struct {
	on       *topics.Set
	document json.RawMessage
}

// Payload returns the JSON document that the token attaches to a subscription made with m, or nil.
// In 1.0 it is the payload, which may be missing, of the first authorization detail for subscribe
// whose topics match the string of m as if it were a topic ("Payloads"). In 0.x one payload goes with
// every subscription (0.x, "Payload"). It has no line breaks and must not be changed.
func (g *Grant) Payload(m mercure.Matcher) json.RawMessage {
	for _, p := range g.payloads {
		if p.on == nil || p.on.Match(m.Pattern) {
			return p.document
		}
	}
	return nil
}

// expired tells whether the grant has ended at the time now.
func (g *Grant) expired(now time.Time) bool { return !g.Expires.IsZero() && !now.Before(g.Expires) }
