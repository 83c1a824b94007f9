package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"hubd/mercure"
	"hubd/topics"
)

// ErrInvalidToken is wrapped by the error for every token that is not valid, whatever is wrong with
// it: 401 with error="invalid_token" ("Error Responses"). The message tells the operator why; the
// client must not be told. It never holds the token.
var ErrInvalidToken = errors.New("invalid token")

// Verifier validates tokens. It is safe for concurrent use.
type Verifier struct {
	protocol Protocol
	keys     [roles]keySource
	issuer   string
	audience string
	space    *topics.Space
	now      func() time.Time
	limits   Limits
	cache    *grantCache
}

// New returns a Verifier of the tokens that the options say, or what Validate returns.
func New(o Options) (*Verifier, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	v := &Verifier{
		protocol: o.Protocol,
		issuer:   o.Issuer,
		audience: o.Audience,
		space:    o.Space,
		now:      o.Now,
		limits:   o.Limits.withDefaults(),
		cache:    newGrantCache(orDefault(o.CacheTokens, defaultCacheTokens)),
	}
	if v.now == nil {
		v.now = time.Now
	}
	for role, key := range o.keys() {
		if key.Absent() {
			continue
		}
		source, err := key.verification()
		if err != nil {
			return nil, err
		}
		v.keys[role] = source
	}
	return v, nil
}

// Verify returns what the token grants a request that acts in the role. audience is the hub's URL as
// the client knows it, which "aud" of a 1.0 token has to name; it does not count where the options
// fix an audience. Errors wrap ErrInvalidToken.
func (v *Verifier) Verify(role Role, token, audience string) (*Grant, error) {
	if len(token) > v.limits.TokenBytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrInvalidToken, v.limits.TokenBytes)
	}
	if v.audience != "" {
		audience = v.audience
	}
	now := v.now()
	id := digest(role, audience, token)
	if grant := v.cache.get(id, now); grant != nil {
		return grant, nil
	}
	grant, err := v.validate(role, token, audience, now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	v.cache.put(id, grant, len(token))
	return grant, nil
}

// validate checks everything anew. The header's type decides between the dialects, for good: a 1.0
// token that fails is not tried as one of 0.x, whose rules ask for less ("Token Validation").
func (v *Verifier) validate(role Role, token, audience string, now time.Time) (*Grant, error) {
	if role >= roles || v.keys[role] == nil {
		return nil, fmt.Errorf("no %s key is configured", role)
	}
	h, payload, err := open(token, v.keys[role])
	if err != nil {
		return nil, err
	}
	members, err := readObject(payload)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	c, err := readClaims(members)
	if err != nil {
		return nil, err
	}
	if err := c.checkTime(now); err != nil {
		return nil, err
	}
	grant := &Grant{Dialect: V0, Expires: c.expires, ID: c.id, Subject: c.subject, Issuer: c.issuer}
	if h.isAccessToken() {
		grant.Dialect = V1
	}
	if !v.protocol.Allows(grant.Dialect) {
		return nil, fmt.Errorf("tokens of %s are not accepted", grant.Dialect)
	}
	if grant.Dialect == V1 {
		if err = c.checkAccess(v.issuer, audience); err == nil {
			err = v.grantDetails(grant, members["authorization_details"])
		}
	} else {
		err = v.grantClaim(grant, findMercureClaim(members))
	}
	if err != nil {
		return nil, err
	}
	return grant, nil
}

// grantDetails fills the grant of a 1.0 token.
func (v *Verifier) grantDetails(grant *Grant, claim json.RawMessage) error {
	details, err := readDetails(claim, v.limits)
	if err != nil {
		return err
	}
	var publish, subscribe []mercure.Matcher
	for _, d := range details {
		// A detail without a known action grants nothing, but its selectors have to be sound as well.
		if !d.publish && !d.subscribe {
			if _, err := v.set(d.selectors); err != nil {
				return err
			}
		}
		if d.publish {
			publish = append(publish, d.selectors...)
		}
		if d.subscribe {
			subscribe = append(subscribe, d.selectors...)
		}
	}
	if err := v.fill(grant, publish, subscribe); err != nil {
		return err
	}
	grant.payloads, err = v.payloads(details)
	return err
}

// payloads returns the choices of Grant.Payload. Details without a payload are among them, since
// they hide the payloads of later ones, but not behind the last one that has one.
func (v *Verifier) payloads(details []detail) ([]payload, error) {
	end := 0
	for i, d := range details {
		if d.subscribe && d.payload != nil {
			end = i + 1
		}
	}
	var choices []payload
	for _, d := range details[:end] {
		if !d.subscribe {
			continue
		}
		on, err := v.set(d.selectors)
		if err != nil {
			return nil, err
		}
		choices = append(choices, payload{on: on, document: d.payload})
	}
	return choices, nil
}

// grantClaim fills the grant of a 0.x token, which only its claim tells from tokens made for another
// purpose.
func (v *Verifier) grantClaim(grant *Grant, data json.RawMessage) error {
	if data == nil {
		return errors.New(`"typ" is not "at+jwt" and there is no "mercure" claim`)
	}
	claim, err := readMercureClaim(data, v.limits)
	if err != nil {
		return err
	}
	if err := v.fill(grant, claim.publish, claim.subscribe); err != nil {
		return err
	}
	if claim.payload != nil {
		grant.payloads = []payload{{document: claim.payload}}
	}
	return nil
}

// fill sets what the grant selects. One set serves both ends if they are equal, as they often are,
// because sets are most of what a grant takes in memory.
func (v *Verifier) fill(grant *Grant, publish, subscribe []mercure.Matcher) error {
	var err error
	if grant.Publish, err = v.set(publish); err != nil {
		return err
	}
	if slices.Equal(publish, subscribe) {
		grant.Subscribe = grant.Publish
		return nil
	}
	grant.Subscribe, err = v.set(subscribe)
	return err
}

// set returns the set of the selectors, or nil if there are none.
func (v *Verifier) set(selectors []mercure.Matcher) (*topics.Set, error) {
	if len(selectors) == 0 {
		return nil, nil
	}
	return v.space.NewSet(selectors)
}
