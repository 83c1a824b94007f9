package auth

import (
	"encoding/json"
	"fmt"

	"hubd/mercure"
)

// mercureClaim is what a 0.x token grants (0.x, "Publishers", "Subscribers" and "Payload"). "revoke" is the hub's own.
type mercureClaim struct {
	publish, subscribe, revoke []mercure.Matcher
	payload                    json.RawMessage
}

// findMercureClaim returns the claim that makes a token one of 0.x, or nil. The name that is a URL is
// for issuers that allow private claims under such names only; where a token has both, it counts, as
// it does in the hubs that such tokens were made for.
func findMercureClaim(members map[string]json.RawMessage) json.RawMessage {
	for _, name := range [...]string{"https://mercure.rocks/", "mercure"} {
		if claim := members[name]; !absent(claim) {
			return claim
		}
	}
	return nil
}

func readMercureClaim(data json.RawMessage, limits Limits) (mercureClaim, error) {
	members, err := readObject(data)
	if err != nil {
		return mercureClaim{}, fmt.Errorf(`"mercure": %w`, err)
	}
	var c mercureClaim
	if c.publish, err = readSelectorList(members["publish"], limits); err != nil {
		return mercureClaim{}, fmt.Errorf(`"mercure.publish": %w`, err)
	}
	if c.subscribe, err = readSelectorList(members["subscribe"], limits); err != nil {
		return mercureClaim{}, fmt.Errorf(`"mercure.subscribe": %w`, err)
	}
	if c.revoke, err = readSelectorList(members["revoke"], limits); err != nil {
		return mercureClaim{}, fmt.Errorf(`"mercure.revoke": %w`, err)
	}
	if payload := members["payload"]; !absent(payload) {
		c.payload = compact(payload)
	}
	return c, nil
}

// readSelectorList reads a list of topic selectors; one that is missing, null or empty grants
// nothing.
func readSelectorList(data json.RawMessage, limits Limits) ([]mercure.Matcher, error) {
	if absent(data) {
		return nil, nil
	}
	entries, err := readArray(data)
	if err != nil {
		return nil, err
	}
	return readSelectors(entries, limits, readSelector)
}

// readSelector reads a topic selector (0.x, "Topic Selectors"). The objects of 1.0 are read as well,
// because tokens made while an issuer moves to 1.0 have them in the old claim.
func readSelector(data json.RawMessage) (mercure.Matcher, error) {
	if len(data) > 0 && data[0] == '{' {
		return readMatcher(data)
	}
	pattern, err := readExactString(data)
	return mercure.Matcher{Type: mercure.Template, Pattern: pattern}, err
}
