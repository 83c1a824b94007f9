package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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
	classic  issuerKeys            // of 0.x tokens
	issuers  map[string]issuerKeys // of 1.0 tokens, by "iss"
	sets     []*remoteSet          // those that the sources above read, each once
	audience string
	space    *topics.Space
	now      func() time.Time
	limits   Limits
	cache    *grantCache
	// revocations are looked up where the cache is not: Revoke voids the cache.
	revocations *revocations

	// generation counts the changes of the sets and of the revocations. A grant is remembered for one generation.
	generation atomic.Uint64
}

// issuerKeys are the keys of one issuer; nil where a role has none.
type issuerKeys [roles]keySource

// New returns a Verifier of the tokens that the options say, or what Validate returns. It does not wait for
// key sets; until one is fetched, its tokens are ErrKeysUnavailable. The caller closes the Verifier.
func New(o Options) (*Verifier, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	v := &Verifier{
		protocol: o.Protocol,
		issuers:  map[string]issuerKeys{},
		audience: o.Audience,
		space:    o.Space,
		now:      o.Now,
		limits:   o.Limits,
		cache:    newGrantCache(o.CacheTokens),

		revocations: newRevocations(o.MaxRevocations),
	}
	sets := map[string]*remoteSet{}
	own := o.own()
	for _, issuer := range append([]Issuer{*own}, o.Issuers...) {
		keys, err := v.sources(&issuer, &o, sets)
		if err != nil {
			return nil, err
		}
		v.issuers[issuer.ID] = keys
	}
	v.classic = v.issuers[own.ID]
	// No token is of an issuer without a name ("Token Validation").
	delete(v.issuers, "")
	for _, s := range v.sets {
		s.start()
	}
	return v, nil
}

// sources returns the keys of an issuer. One location is fetched by one remoteSet, however many roles and
// issuers verify with it; sets has those that are there already.
func (v *Verifier) sources(issuer *Issuer, o *Options, sets map[string]*remoteSet) (issuerKeys, error) {
	var keys issuerKeys
	for role, c := range issuer.credentials() {
		switch {
		case !c.key.Absent():
			key, err := c.key.verification()
			if err != nil {
				return keys, err
			}
			keys[role] = key
		case !c.set.Absent():
			set := sets[c.set.URL]
			if set == nil {
				l, err := newLocation(c.set)
				if err != nil {
					return keys, err
				}
				set = newRemoteSet(l, o, func() { v.generation.Add(1) })
				sets[c.set.URL] = set
				v.sets = append(v.sets, set)
			}
			keys[role] = &setSource{set: set, algorithms: c.set.algorithms()}
		}
	}
	return keys, nil
}

// Close stops fetching key sets and returns when all goroutines have ended. The Verifier goes on with
// the sets that it has. Close may be called more than once.
func (v *Verifier) Close() {
	for _, s := range v.sets {
		s.stop()
	}
}

// Verify returns what the token grants a request that acts in the role. audience is the hub's URL as
// the client knows it, which "aud" of a 1.0 token has to name; it does not count where the options
// fix an audience.
//
// Errors wrap ErrInvalidToken, or ErrKeysUnavailable if the token may be valid but its key set cannot be
// had. Verify waits for a fetch under way, 3 s at most, where it takes the set to decide: none has
// been fetched yet, or the token names a key that is unknown.
func (v *Verifier) Verify(role Role, token, audience string) (*Grant, error) {
	// Ahead of the keys: if they change meanwhile, what is remembered is not found again.
	return v.verify(role, []byte(token), v.effective(audience), v.generation.Load())
}

// effective returns the audience that counts: the one that the options fix, or that of the request.
func (v *Verifier) effective(audience string) string {
	if v.audience != "" {
		return v.audience
	}
	return audience
}

// verify is Verify for the audience that counts. The grant is remembered for the generation, which was read
// before the keys are.
func (v *Verifier) verify(role Role, token []byte, audience string, generation uint64) (*Grant, error) {
	if len(token) > v.limits.TokenBytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrInvalidToken, v.limits.TokenBytes)
	}
	now := v.now()
	id := digest(role, generation, audience, token)
	if grant := v.cache.get(id, now); grant != nil {
		return grant, nil
	}
	grant, err := v.validate(role, string(token), audience, now)
	if err == nil && v.revocations.has(grant.Identity, now) {
		err = errRevoked
	}
	switch {
	case errors.Is(err, ErrKeysUnavailable):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	v.cache.put(id, grant, len(token))
	return grant, nil
}

// validate checks everything anew. The header's type decides between the dialects, for good: a 1.0
// token that fails is not tried as one of 0.x, whose rules ask for less ("Token Validation").
func (v *Verifier) validate(role Role, token, audience string, now time.Time) (*Grant, error) {
	j, err := parseJWS(token)
	if err != nil {
		return nil, err
	}
	grant := &Grant{Dialect: V0}
	if j.header.isAccessToken() {
		grant.Dialect = V1
	}
	if !v.protocol.Allows(grant.Dialect) {
		return nil, fmt.Errorf("tokens of %s are not accepted", grant.Dialect)
	}
	members, err := v.open(j, role, grant.Dialect)
	if err != nil {
		return nil, err
	}
	c, err := readClaims(members)
	if err != nil {
		return nil, err
	}
	if err := c.checkTime(now); err != nil {
		return nil, err
	}
	grant.Expires = c.expires
	grant.Identity = &Identity{Issuer: c.issuer, Subject: c.subject, ID: c.id, Issued: c.issued}
	grant.Bearer = newBearer(grant.Identity, token)
	if grant.Dialect == V1 {
		if err = c.checkAccess(audience); err == nil {
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

// open returns the claims once a key has verified the signature. In 1.0 that is a key of the issuer that
// the token names, never one of another ("Token Validation"), so "iss" is read ahead; the claims that are
// returned are of the same bytes.
func (v *Verifier) open(j *jws, role Role, dialect Protocol) (members map[string]json.RawMessage, err error) {
	keys := v.classic
	if dialect == V1 {
		if members, err = j.claims(); err != nil {
			return nil, err
		}
		if keys, err = v.keysOf(members["iss"]); err != nil {
			return nil, err
		}
	}
	if role >= roles || keys[role] == nil {
		return nil, fmt.Errorf("no %s key is configured", role)
	}
	if err := keys[role].verify(j); err != nil {
		return nil, err
	}
	if dialect == V1 {
		return members, nil
	}
	return j.claims()
}

// keysOf returns the keys of the issuer that the claim names.
func (v *Verifier) keysOf(claim json.RawMessage) (issuerKeys, error) {
	if len(v.issuers) == 0 {
		return issuerKeys{}, errors.New("no trusted issuer is configured, which 1.0 tokens require")
	}
	id, err := readString(claim)
	if err != nil {
		return issuerKeys{}, errors.New(`"iss" is not a string`)
	}
	keys, ok := v.issuers[id]
	if !ok {
		return issuerKeys{}, errors.New(`"iss" is not a trusted issuer`)
	}
	return keys, nil
}

// grantDetails fills the grant of a 1.0 token.
func (v *Verifier) grantDetails(grant *Grant, claim json.RawMessage) error {
	details, err := readDetails(claim, v.limits)
	if err != nil {
		return err
	}
	var publish, subscribe, revoke []mercure.Matcher
	for _, d := range details {
		// A detail without a known action grants nothing, but its selectors have to be sound as well.
		if !d.publish && !d.subscribe && !d.revoke {
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
		if d.revoke {
			revoke = append(revoke, d.selectors...)
		}
	}
	if err := v.fill(grant, publish, subscribe, revoke); err != nil {
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
	if err := v.fill(grant, claim.publish, claim.subscribe, claim.revoke); err != nil {
		return err
	}
	if claim.payload != nil {
		grant.payloads = []payload{{document: claim.payload}}
	}
	return nil
}

// fill sets what the grant selects. One set serves both ends if they are equal, as they often are,
// because sets are most of what a grant takes in memory.
func (v *Verifier) fill(grant *Grant, publish, subscribe, revoke []mercure.Matcher) error {
	var err error
	if grant.Revoke, err = v.set(revoke); err != nil {
		return err
	}
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
