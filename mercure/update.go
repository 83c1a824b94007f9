package mercure

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Earliest is the cursor that stands before every event of a history ("Reconnection").
const Earliest = "earliest"

// Wildcard is the matcher that selects every topic, and therefore no topic's name ("Matcher Types").
const Wildcard = "*"

// ReservedType is the event type of updates that only the hub makes ("Subscription Events").
const ReservedType = "mercure"

// ErrUpdate is wrapped by every error about an update that the protocol forbids. The message names
// the field and says what is wrong with it; it is fit to be sent to the publisher.
var ErrUpdate = errors.New("invalid update")

// Update is what a publisher asks the hub to dispatch ("Publication").
type Update struct {
	// Topics are the canonical topic followed by the alternate ones; there is at least one.
	Topics []string
	// Data is the new content of the topic, opaque to the hub.
	Data string
	// ID is the publisher's identifier of the update, or empty to let the hub make one.
	ID string
	// Type is the SSE event type, or empty for the default one.
	Type string
	// Retry is the SSE reconnection time in milliseconds as ASCII digits, or empty.
	Retry string
	// Private restricts delivery to subscribers whose token grants one of Topics.
	Private bool
}

// Validate checks the rules that hold for an update from a publisher whatever its token grants.
// The reserved namespace is not checked here: it takes a URL parser and the hub's own address.
// Errors wrap ErrUpdate.
func (u *Update) Validate() error {
	if len(u.Topics) == 0 {
		return fmt.Errorf(`%w: "topic" is missing`, ErrUpdate)
	}
	for _, topic := range u.Topics {
		switch {
		case topic == "":
			return fmt.Errorf(`%w: "topic" is empty`, ErrUpdate)
		case topic == Wildcard:
			return fmt.Errorf(`%w: "topic" is "*", which is reserved for the matcher of all topics`, ErrUpdate)
		}
		if err := CheckText(topic); err != nil {
			return fmt.Errorf(`%w: "topic": %w`, ErrUpdate, err)
		}
	}
	if !utf8.ValidString(u.Data) {
		return fmt.Errorf(`%w: "data" is not valid UTF-8`, ErrUpdate)
	}
	if err := checkID(u.ID); err != nil {
		return err
	}
	if u.Type == ReservedType {
		return fmt.Errorf(`%w: "type" is %q, which is reserved for the hub`, ErrUpdate, ReservedType)
	}
	if err := CheckText(u.Type); err != nil {
		return fmt.Errorf(`%w: "type": %w`, ErrUpdate, err)
	}
	if strings.Trim(u.Retry, "0123456789") != "" {
		return fmt.Errorf(`%w: "retry" is not made of ASCII digits`, ErrUpdate)
	}
	return nil
}

func checkID(id string) error {
	switch {
	case strings.HasPrefix(id, "#"):
		return fmt.Errorf(`%w: "id" starts with "#", which is reserved for the hub`, ErrUpdate)
	case id == Earliest:
		return fmt.Errorf(`%w: "id" is %q, which is reserved`, ErrUpdate, Earliest)
	}
	if err := CheckText(id); err != nil {
		return fmt.Errorf(`%w: "id": %w`, ErrUpdate, err)
	}
	return nil
}
