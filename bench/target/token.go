package target

import (
	"fmt"
	"time"

	"hubd/auth"
	"hubd/mercure"
)

const (
	// issuer and audience stand in 1.0 tokens ("Token Validation") and are given to a hub that is started.
	issuer   = "https://bench.example"
	audience = "https://bench.example/hub"
	// tokenLife is longer than any run: a hub ends a stream when its token expires.
	tokenLife = 24 * time.Hour
)

// minter signs tokens of one dialect with HS256.
type minter struct {
	dialect       auth.Protocol
	publisherKey  string
	subscriberKey string
	now           func() time.Time
}

// publisher returns a token that may publish to every topic.
func (m minter) publisher() (string, error) {
	return m.mint(m.publisherKey, auth.MintOptions{Publish: matchers(mercure.Wildcard), Subject: "bench-publisher"})
}

// subscriber returns a token that grants private updates of one topic, or of all for the wildcard.
func (m minter) subscriber(topic, subject string) (string, error) {
	return m.mint(m.subscriberKey, auth.MintOptions{Subscribe: matchers(topic), Subject: subject})
}

func (m minter) mint(key string, o auth.MintOptions) (string, error) {
	o.Dialect = m.dialect
	o.Key = auth.Key{Material: []byte(key)}
	o.Issued = m.now()
	o.Expires = o.Issued.Add(tokenLife)
	if m.dialect == auth.V1 {
		o.Issuer, o.Audience = issuer, audience
	} else {
		// In 0.x a selector is a template or the topic itself, and a mere string in the claim.
		for _, list := range [][]mercure.Matcher{o.Publish, o.Subscribe} {
			for i := range list {
				list[i].Type = mercure.Template
			}
		}
	}
	token, err := auth.Mint(o)
	if err != nil {
		return "", fmt.Errorf("token of %s: %w", o.Subject, err)
	}
	return token, nil
}

func matchers(pattern string) []mercure.Matcher {
	return []mercure.Matcher{{Type: mercure.Exact, Pattern: pattern}}
}
