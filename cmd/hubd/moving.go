package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"hubd/actors"
	"hubd/config"
	"hubd/mercure"
)

// moving is a stream on its way from one hub to the next, as JSON. Fields are added, never changed: the next hub may
// be older or newer than this one.
type moving struct {
	Want   []mercure.Matcher `json:"want"`
	Grants []mercure.Matcher `json:"grants,omitempty"`
	// Cursor is the position of the last event that the client has or is getting; nil for a stream that has not begun.
	Cursor *uint64 `json:"cursor,omitempty"`
	// Known says that the events after the cursor are owed; see actors.Cursor.
	Known bool `json:"known,omitempty"`
	// Rest is what the client must get first: what is left of an event, or of the response's head.
	Rest          []byte                 `json:"rest,omitempty"`
	Bearer        *bearer                `json:"bearer,omitempty"`
	Expires       time.Time              `json:"expires,omitzero"`
	Ends          time.Time              `json:"ends,omitzero"`
	Subscriptions []mercure.Subscription `json:"subscriptions,omitempty"`
	// ID and Opened are for those who ask about the stream.
	ID     *actors.StreamID `json:"id,omitempty"`
	Opened time.Time        `json:"opened,omitzero"`
}

// bearer is whom the stream's token names. A hub that does not know it cannot end the stream by it.
type bearer struct {
	Issuer  string    `json:"issuer,omitempty"`
	Subject string    `json:"subject,omitempty"`
	ID      string    `json:"id,omitempty"`
	Issued  time.Time `json:"issued,omitzero"`
}

func packStream(o *actors.Subscription) ([]byte, error) {
	m := moving{Want: o.Matchers(), Rest: o.Prelude, Expires: o.Expires, Ends: o.Ends, Subscriptions: o.Subscriptions, ID: &o.ID, Opened: o.Opened}
	if o.Identity != nil {
		moved := bearer(*o.Identity)
		m.Bearer = &moved
	}
	if o.Cursor != nil {
		m.Cursor, m.Known = &o.Cursor.Position, o.Cursor.Known
	}
	if o.Grants != nil {
		for _, sel := range o.Grants.Selectors() {
			m.Grants = append(m.Grants, sel.Matcher())
		}
	}
	state, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("describing a stream: %w", err)
	}
	return state, nil
}

// unpackStream makes the subscription again; its connection is left to the caller.
func (d *daemon) unpackStream(state []byte) (*actors.Subscription, error) {
	var m moving
	if err := json.Unmarshal(state, &m); err != nil {
		return nil, fmt.Errorf("reading the description of a stream: %w", err)
	}
	want, err := d.space.NewSet(m.Want)
	if err != nil {
		return nil, fmt.Errorf("matchers of a stream: %w", err)
	}
	o := &actors.Subscription{
		Want: want, Prelude: m.Rest, Expires: m.Expires, Ends: m.Ends, Subscriptions: m.Subscriptions, Continued: true, Opened: m.Opened,
	}
	if m.ID != nil {
		o.ID = *m.ID
	} else if len(m.Subscriptions) > 0 { // of an older hub
		o.ID, _ = actors.ParseStreamID(m.Subscriptions[0].Subscriber)
	}
	if m.Bearer != nil {
		moved := actors.Identity(*m.Bearer)
		o.Identity = &moved
	}
	if len(m.Grants) > 0 {
		if o.Grants, err = d.space.NewSet(m.Grants); err != nil {
			return nil, fmt.Errorf("grants of a stream: %w", err)
		}
	}
	if m.Cursor != nil {
		o.Cursor = &actors.Cursor{Position: *m.Cursor, Known: m.Known}
	}
	return o, nil
}

// fingerprint is equal for hubs that would let in the same clients: only then do streams move without showing their
// tokens again. It discloses no key. A key that this process made is no other's.
func (d *daemon) fingerprint(own bool) (string, error) {
	if own {
		return rand.Text(), nil
	}
	digest := sha256.New()
	c := d.cfg
	fmt.Fprintf(digest, "%q %q %q %q %t %t %q\n", c.Protocol, d.url(), c.Audience, c.PublicURLs, c.Anonymous, c.Subscriptions, c.CookieName)
	issuer := func(id string, publisher, subscriber *config.Key) error {
		for _, k := range []*config.Key{publisher, subscriber} {
			secret, err := k.Material()
			if err != nil {
				return fmt.Errorf("read the key: %w", err)
			}
			fmt.Fprintf(digest, "%q %q %q %q %q\n", id, secret.Reveal(), k.Alg, k.JWKSURL, k.JWKSAlgs)
		}
		return nil
	}
	if err := issuer(c.Issuer, &c.Publisher, &c.Subscriber); err != nil {
		return "", err
	}
	for i := range c.Issuers {
		if err := issuer(c.Issuers[i].Issuer, &c.Issuers[i].Publisher, &c.Issuers[i].Subscriber); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}
