package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"hubd/mercure"
)

// detailType is the type of a Mercure authorization detail, compared byte by byte.
const detailType = "https://mercure.rocks/authorization-detail"

// The actions of a Mercure authorization detail that the hub knows.
const (
	actionPublish   = "publish"
	actionSubscribe = "subscribe"
	// actionRevoke is the hub's own; other hubs ignore it, as the specification asks.
	actionRevoke = "revoke"
)

// detail is a Mercure authorization detail: what may be done with the topics that one of its
// selectors matches ("Authorization Details").
type detail struct {
	publish, subscribe, revoke bool
	selectors                  []mercure.Matcher
	payload                    json.RawMessage
}

// readDetails reads the authorization details of a 1.0 token, those of other types left out. A claim
// that is missing grants nothing; one that is defective refuses the token.
func readDetails(data json.RawMessage, limits Limits) ([]detail, error) {
	if data == nil {
		return nil, nil
	}
	entries, err := readArray(data)
	if err != nil {
		return nil, fmt.Errorf(`"authorization_details": %w`, err)
	}
	var details []detail
	for i, entry := range entries {
		d, mine, err := readDetail(entry, limits)
		if err != nil {
			return nil, fmt.Errorf(`"authorization_details", entry %d: %w`, i, err)
		}
		if !mine {
			continue
		}
		if len(details) == limits.Details {
			return nil, fmt.Errorf("more than %d authorization details", limits.Details)
		}
		details = append(details, d)
	}
	return details, nil
}

// readDetail reads one entry; mine is false if it is of another type, whose members are not looked
// at. An entry without a type is an error rather than of another type: RFC 9396, section 2, requires
// one, so what the issuer meant cannot be told.
func readDetail(data json.RawMessage, limits Limits) (d detail, mine bool, err error) {
	members, err := readObject(data)
	if err != nil {
		return detail{}, false, err
	}
	typ, err := readExactString(members["type"])
	if err != nil {
		return detail{}, false, fmt.Errorf(`"type": %w`, err)
	}
	if typ != detailType {
		return detail{}, false, nil
	}
	if err := d.readActions(members["actions"]); err != nil {
		return detail{}, false, fmt.Errorf(`"actions": %w`, err)
	}
	if d.selectors, err = readTopics(members["topics"], limits); err != nil {
		return detail{}, false, fmt.Errorf(`"topics": %w`, err)
	}
	if payload, ok := members["payload"]; ok {
		if _, err := readObject(payload); err != nil {
			return detail{}, false, fmt.Errorf(`"payload": %w`, err)
		}
		d.payload = compact(payload)
	}
	return d, true, nil
}

// readActions ignores the actions that it does not know, which later specifications may define, but
// not an entry that is no string.
func (d *detail) readActions(data json.RawMessage) error {
	entries, err := readArray(data)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return errEmpty
	}
	for _, entry := range entries {
		action, err := readExactString(entry)
		if err != nil {
			return err
		}
		d.publish = d.publish || action == actionPublish
		d.subscribe = d.subscribe || action == actionSubscribe
		d.revoke = d.revoke || action == actionRevoke
	}
	return nil
}

// readTopics reads a list of topic matcher objects ("Topic Matcher List").
func readTopics(data json.RawMessage, limits Limits) ([]mercure.Matcher, error) {
	entries, err := readArray(data)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errEmpty
	}
	return readSelectors(entries, limits, readMatcher)
}

// readSelectors reads the entries of a list with read. Errors tell the entry.
func readSelectors(entries []json.RawMessage, limits Limits, read func(json.RawMessage) (mercure.Matcher, error)) ([]mercure.Matcher, error) {
	if len(entries) > limits.Topics {
		return nil, fmt.Errorf("more than %d entries", limits.Topics)
	}
	selectors := make([]mercure.Matcher, len(entries))
	for i, entry := range entries {
		var err error
		if selectors[i], err = read(entry); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return selectors, nil
}

// readMatcher reads one topic matcher object. The type has to be a known one if it is given at all:
// a grant that cannot be evaluated refuses the token.
func readMatcher(data json.RawMessage) (mercure.Matcher, error) {
	members, err := readObject(data)
	if err != nil {
		return mercure.Matcher{}, err
	}
	pattern, err := readExactString(members["match"])
	if err != nil {
		return mercure.Matcher{}, fmt.Errorf(`"match": %w`, err)
	}
	m := mercure.Matcher{Type: mercure.Exact, Pattern: pattern}
	if data, ok := members["match_type"]; ok {
		name, err := readExactString(data)
		switch {
		case err == nil && name == mercure.Exact.String():
		case err == nil && name == mercure.URLPattern.String():
			m.Type = mercure.URLPattern
		default:
			return mercure.Matcher{}, errors.New(`"match_type" is not a supported type`)
		}
	}
	return m, nil
}

var errEmpty = errors.New("empty")

// compact returns valid JSON without the white space, so that it is one line, in memory of its own.
func compact(data json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return nil
	}
	return b.Bytes()
}
