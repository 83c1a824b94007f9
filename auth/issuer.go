package auth

import (
	"errors"
	"fmt"
)

// Issuer is a trusted issuer of 1.0 tokens together with its own keys. A token that names it in "iss" is
// verified with these keys and no others ("Token Validation").
type Issuer struct {
	// ID is compared exactly with "iss".
	ID string
	// Publisher and Subscriber are the keys of the two roles, PublisherSet and SubscriberSet the sets in
	// their place. A role that has neither accepts no token of this issuer.
	Publisher, Subscriber       Key
	PublisherSet, SubscriberSet KeySet
}

// credential is the key or the set of one role; at most one of the two is there.
type credential struct {
	key Key
	set KeySet
}

func (i *Issuer) credentials() [roles]credential {
	return [roles]credential{RolePublisher: {i.Publisher, i.PublisherSet}, RoleSubscriber: {i.Subscriber, i.SubscriberSet}}
}

// validateKeys names everything that is wrong with the keys.
func (i *Issuer) validateKeys() error {
	var errs []error
	for r, c := range i.credentials() {
		role := Role(r)
		if err := c.key.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s key: %w", role, err))
		}
		if err := c.set.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s key set: %w", role, err))
		}
		if !c.key.Absent() && !c.set.Absent() {
			errs = append(errs, fmt.Errorf("%s has both a key and a key set", role))
		}
	}
	return errors.Join(errs...)
}
