package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"hubd/mercure"
)

// maxValue is the largest value of a board.
const maxValue = 64 << 10

// entry is the value of an entry of the board, as JSON. Fields are added, never changed: nodes of several versions
// share a board.
type entry struct {
	// Node is the holder whose stream it is.
	Node       string          `json:"node"`
	Type       string          `json:"type"`
	Pattern    string          `json:"pattern"`
	Subscriber string          `json:"subscriber"`
	Payload    json.RawMessage `json:"payload,omitempty"`
	// Leaving says that the end is being announced.
	Leaving bool `json:"leaving,omitempty"`
}

// keyOf is the key of the subscription with the topic, of the few characters and bytes that a key may have.
func keyOf(topic string) string {
	digest := sha256.Sum256([]byte(topic))
	return hex.EncodeToString(digest[:16])
}

func (p *Presence) encode(s *mercure.Subscription) ([]byte, error) {
	value, err := json.Marshal(entry{
		Node: p.holder, Type: s.Matcher.Type.String(), Pattern: s.Matcher.Pattern,
		Subscriber: s.Subscriber, Payload: s.Payload, Leaving: !s.Active,
	})
	if err != nil {
		return nil, fmt.Errorf("describing a subscription: %w", err)
	}
	if len(value) > maxValue {
		return nil, fmt.Errorf("the description of a subscription has %d bytes, more than %d", len(value), maxValue)
	}
	return value, nil
}

// decode returns the subscription of an entry's value, active, and the entry.
func decode(value []byte) (*mercure.Subscription, *entry, error) {
	var e entry
	if err := json.Unmarshal(value, &e); err != nil {
		return nil, nil, fmt.Errorf("reading the description of a subscription: %w", err)
	}
	s := &mercure.Subscription{Matcher: mercure.Matcher{Pattern: e.Pattern}, Subscriber: e.Subscriber, Active: true, Payload: e.Payload}
	for _, kind := range [...]mercure.MatcherType{mercure.Exact, mercure.URLPattern, mercure.Template} {
		if kind.String() == e.Type {
			s.Matcher.Type = kind
			return s, &e, nil
		}
	}
	return nil, nil, fmt.Errorf("reading the description of a subscription: %q is no type of matchers", e.Type)
}
