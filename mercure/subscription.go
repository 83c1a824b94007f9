package mercure

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Subscription describes one matcher of one subscriber ("Active Subscriptions"), in the version of
// the protocol in which it was made.
type Subscription struct {
	Matcher Matcher
	// Subscriber identifies the stream: a URN that the hub made.
	Subscriber string
	// Active is false once the stream has ended.
	Active bool
	// Payload is the JSON document that the token attaches to the subscription, or nil.
	Payload json.RawMessage
}

// JSONLDContext is the "@context" of the documents of 0.x ("JSON-LD Context").
const JSONLDContext = "https://mercure.rocks/"

// SubscriptionTopics returns what the topics of all subscriptions begin with.
func SubscriptionTopics(hubPath string) string { return hubPath + "/subscriptions/" }

// Topic returns the topic of the subscription's events and its path in the API. hubPath is the path
// of the hub's URL.
func (s *Subscription) Topic(hubPath string) string {
	var b strings.Builder
	b.WriteString(SubscriptionTopics(hubPath))
	if s.Matcher.Type != Template {
		b.WriteString(s.Matcher.Type.String())
		b.WriteByte('/')
	}
	expand(&b, s.Matcher.Pattern)
	b.WriteByte('/')
	expand(&b, s.Subscriber)
	return b.String()
}

// expand writes the value of a variable as RFC 6570, section 3.2.2, does: once, every byte but the
// unreserved ones.
func expand(b *strings.Builder, value string) {
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&0xf])
		}
	}
}

// document is the subscription as JSON; the order of the fields is that of the specification's examples.
type document struct {
	Context    string          `json:"@context,omitempty"`
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	Topic      string          `json:"topic,omitempty"`
	MatchType  string          `json:"match_type,omitempty"`
	Match      string          `json:"match,omitempty"`
	Subscriber string          `json:"subscriber"`
	Active     bool            `json:"active"`
	Payload    json.RawMessage `json:"payload,omitempty"`
	LastID     string          `json:"lastEventID,omitempty"`
}

// Document returns the JSON document that describes the subscription. In 0.x it is JSON-LD: alone it carries
// the context, within a collection it does not. lastID is a field of 0.x alone and left out if empty.
func (s *Subscription) Document(hubPath string, alone bool, lastID string) json.RawMessage {
	d := document{ID: s.Topic(hubPath), Subscriber: s.Subscriber, Active: s.Active, Payload: s.Payload}
	if s.Matcher.Type == Template {
		d.Type, d.Topic, d.LastID = "Subscription", s.Matcher.Pattern, lastID
		if alone {
			d.Context = JSONLDContext
		}
	} else {
		d.Type, d.MatchType, d.Match = "subscription", s.Matcher.Type.String(), s.Matcher.Pattern
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // a payload that is not JSON was let through
	}
	return text
}

// Update returns the event about the subscription: always private, and of the reserved type in 1.0 ("Subscription Events").
func (s *Subscription) Update(hubPath string) *Update {
	u := &Update{Topics: []string{s.Topic(hubPath)}, Data: string(s.Document(hubPath, true, "")), Private: true}
	if s.Matcher.Type != Template {
		u.Type = ReservedType
	}
	return u
}

// EndsSubscription tells of an event about a subscription, as Update makes it, whether it says that it has ended.
func (e *Event) EndsSubscription() bool {
	_, data, _ := bytes.Cut(e.frame, []byte("\ndata: "))
	line, _, _ := bytes.Cut(data, []byte("\n"))
	var d document
	return json.Unmarshal(line, &d) == nil && d.Subscriber != "" && !d.Active
}
