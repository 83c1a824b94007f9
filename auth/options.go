package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"hubd/topics"
)

// Options say which tokens a Verifier accepts.
type Options struct {
	// Protocol is the version whose tokens are accepted; the zero value is both.
	Protocol Protocol
	// Publisher and Subscriber are the keys of the two roles, PublisherSet and SubscriberSet the sets in
	// their place. 0.x tokens are verified with them, and 1.0 tokens of Issuer. A role that has neither
	// accepts no such token.
	Publisher, Subscriber       Key
	PublisherSet, SubscriberSet KeySet
	// Issuer is who signs 1.0 tokens with these keys, compared exactly with "iss". A key has to be
	// bound to an issuer ("Token Validation"), so while Issuer is empty they verify no 1.0 token. A
	// hub whose tokens are made by its own operator can take the hub's URL for it: any stable
	// identifier does, as long as the tokens carry it. 0.x tokens are not bound to an issuer.
	Issuer string
	// Issuers are further issuers of 1.0 tokens, each with keys of its own.
	Issuers []Issuer
	// Refresh is how often a key set is fetched when nothing is wrong; its keeper can shorten that with
	// Cache-Control, to 30 s at least, and a file is read at least every 10 s. 0 means 5 minutes. A key
	// that left its set is accepted for as long at most, if the set can be fetched.
	Refresh time.Duration
	// Audience is the hub's resource identifier, which "aud" of a 1.0 token must name. If it is
	// empty, each call of Verify brings the identifier, derived from the hub's URL.
	Audience string
	// Space makes the sets of selectors that grants hold. It is required.
	Space *topics.Space
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger is told of key sets that cannot be fetched, and of those that change; nil discards that.
	Logger *slog.Logger
	// Limits bound what a token may carry.
	Limits Limits
	// CacheTokens bounds how many validated tokens are remembered. A token takes one place for each
	// KiB of its length begun. 0 means 10,000, less than 0 none; odd numbers are rounded up. A place
	// costs about 1 KB of memory where a token has a selector or two, and 5 KB where it is full of them.
	CacheTokens int
	// MaxRevocations bounds the ids and subjects that are revoked at a time; 0 means 10,000. Each takes a few
	// hundred bytes.
	MaxRevocations int
}

// Limits bound what a token may carry ("Authorization Details", "Resource Limits"). A token beyond
// one of them is invalid. The length of a selector is bounded by the Space.
type Limits struct {
	// TokenBytes is the length of the token as it is presented; 0 means 16 KiB.
	TokenBytes int
	// Details is the number of Mercure authorization details; 0 means 100.
	Details int
	// Topics is the number of selectors of one authorization detail, or of one list of a 0.x token;
	// 0 means 1,000.
	Topics int
}

const (
	defaultTokenBytes  = 16 << 10
	defaultDetails     = 100
	defaultTopics      = 1000
	defaultCacheTokens = 10_000
	defaultRevocations = 10_000
)

// Validate names everything that is wrong with the options; the errors are joined.
func (o *Options) Validate() error {
	var errs []error
	if o.Protocol > V0 {
		errs = append(errs, errors.New("protocol is unknown"))
	}
	own := o.own()
	if err := own.validateKeys(); err != nil {
		errs = append(errs, err)
	}
	known := map[string]bool{o.Issuer: true}
	for _, issuer := range o.Issuers {
		switch {
		case issuer.ID == "":
			errs = append(errs, errors.New("an issuer has no identifier"))
		case known[issuer.ID]:
			errs = append(errs, fmt.Errorf("issuer %q is there twice", issuer.ID))
		}
		known[issuer.ID] = true
		if err := issuer.validateKeys(); err != nil {
			errs = append(errs, fmt.Errorf("issuer %q: %w", issuer.ID, err))
		}
	}
	if o.MaxRevocations < 0 {
		errs = append(errs, errors.New("limit of revocations is negative"))
	}
	if o.Refresh < 0 {
		errs = append(errs, errors.New("refresh of key sets is negative"))
	}
	if o.Space == nil {
		errs = append(errs, errors.New("space of topics is missing"))
	}
	if o.Limits.TokenBytes < 0 || o.Limits.Details < 0 || o.Limits.Topics < 0 {
		errs = append(errs, errors.New("a limit of tokens is negative"))
	}
	return errors.Join(errs...)
}

// own returns the issuer of the hub's own keys; its identifier may be empty.
func (o *Options) own() *Issuer {
	return &Issuer{
		ID: o.Issuer, Publisher: o.Publisher, Subscriber: o.Subscriber,
		PublisherSet: o.PublisherSet, SubscriberSet: o.SubscriberSet,
	}
}

// withDefaults returns the options with everything optional filled in.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Refresh == 0 {
		o.Refresh = defaultRefresh
	}
	o.Limits = o.Limits.withDefaults()
	o.CacheTokens = orDefault(o.CacheTokens, defaultCacheTokens)
	o.MaxRevocations = orDefault(o.MaxRevocations, defaultRevocations)
	return o
}

// withDefaults returns the limits with every zero replaced.
func (l Limits) withDefaults() Limits {
	return Limits{
		TokenBytes: orDefault(l.TokenBytes, defaultTokenBytes),
		Details:    orDefault(l.Details, defaultDetails),
		Topics:     orDefault(l.Topics, defaultTopics),
	}
}

func orDefault(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}
