package handover

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Versions of the protocol that this program speaks.
const (
	oldestVersion = 1
	newestVersion = 1
)

// versions is a range of protocol versions, both ends included.
type versions struct {
	Oldest int `json:"oldest"`
	Newest int `json:"newest"`
}

// common returns the newest version that is in both ranges.
func (v versions) common(other versions) (int, bool) {
	newest := min(v.Newest, other.Newest)
	return newest, newest >= max(v.Oldest, other.Oldest, 1)
}

// Address is a listening socket by the name of its purpose, such as "public", and the address as
// configured, such as "127.0.0.1:3000".
type Address struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// hello is what a newcomer opens with.
type hello struct {
	Protocol versions `json:"protocol"`
	Proposal
}

// welcome is the holder's agreement.
type welcome struct {
	Protocol  int      `json:"protocol"`
	Holder    Identity `json:"holder"`
	Listeners int      `json:"listeners"`
	Streams   bool     `json:"streams"`
}

// refusal ends a handover by the holder, failure by the newcomer.
type refusal struct {
	Reason string `json:"reason"`
}

// listeners describes the sockets that come with its frame, in their order.
type listeners struct {
	Listeners []Address `json:"listeners"`
}

// closing is the holder's account in done.
type closing struct {
	Streams Counts `json:"streams"`
}

// Counts is what became of the streams.
type Counts struct {
	// Taken streams go on with the newcomer.
	Taken int `json:"taken"`
	// Refused streams stay with the holder, to be ended by it.
	Refused int `json:"refused"`
	// Unknown streams were sent, but the answer never came. They go on with the newcomer if it lives.
	Unknown int `json:"unknown,omitempty"`
}

// encode makes the payload of a control message. The messages hold nothing that JSON has no form for but a
// time after the year 9999.
func encode(message any) ([]byte, error) {
	b, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encoding a message: %w", err)
	}
	if len(b) > maxControl {
		return nil, fmt.Errorf("a message has %d bytes, more than %d", len(b), maxControl)
	}
	return b, nil
}

// decode reads the payload of a control message. Fields that it does not know are ignored, so that a later
// version may add some.
func decode[T any](payload []byte) (message T, err error) {
	if err := json.Unmarshal(payload, &message); err != nil {
		return message, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return message, nil
}

// decodeHello also checks what is going to be shown to people.
func decodeHello(payload []byte) (hello, error) {
	h, err := decode[hello](payload)
	if err == nil {
		err = h.Newcomer.check()
	}
	for _, wanted := range h.Listeners {
		if err == nil && (!presentable(wanted.Name) || !presentable(wanted.Address)) {
			err = errors.New("a listener has no printable name")
		}
	}
	if err != nil && !errors.Is(err, ErrProtocol) {
		err = fmt.Errorf("%w: hello: %w", ErrProtocol, err)
	}
	return h, err
}

func decodeWelcome(payload []byte, offered versions) (welcome, error) {
	w, err := decode[welcome](payload)
	if err != nil {
		return w, err
	}
	if w.Protocol < offered.Oldest || w.Protocol > offered.Newest {
		return w, fmt.Errorf("%w: welcome to version %d", ErrProtocol, w.Protocol)
	}
	if err := w.Holder.check(); err != nil {
		return w, fmt.Errorf("%w: welcome: %w", ErrProtocol, err)
	}
	return w, nil
}
