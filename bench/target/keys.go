package target

import (
	"time"

	"hubd/auth"
)

// Keys are the secrets with which tokens are signed, and how they are written.
type Keys struct {
	// Dialect is auth.V0 or auth.V1, for tokens and for the parameters of subscriptions.
	Dialect auth.Protocol
	// Publisher and Subscriber are HS256 secrets.
	Publisher  string
	Subscriber string
}

func (k Keys) minter() minter {
	return minter{dialect: k.Dialect, publisherKey: k.Publisher, subscriberKey: k.Subscriber, now: time.Now}
}
