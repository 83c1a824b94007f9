package auth

import (
	"errors"
	"strings"
	"testing"
)

const (
	otherIssuer = "https://other.example"
	thirdIssuer = "urn:example:third"
)

// by makes the claims those of the issuer.
func by(issuer string) object { return object{"iss": issuer} }

// "Token Validation": a token is verified with the keys of the issuer that it names, never with a pooled set, even
// where the keys have one name.
func TestEachIssuerHasItsOwnKeys(t *testing.T) {
	t.Parallel()
	own, other, third := newSecret(t), newES(t), newSecret(t)
	k := newKeeper(t, jwk(t, other, "1"))
	set := KeySet{URL: k.URL}
	v := newVerifier(t, own, func(o *Options) {
		o.Issuers = []Issuer{
			{ID: otherIssuer, PublisherSet: set, SubscriberSet: set},
			{ID: thirdIssuer, Publisher: third},
		}
	})
	t.Cleanup(v.Close)
	settle(v.sets[0])

	keys := map[string]Key{testIssuer: own, otherIssuer: other, thirdIssuer: third}
	for issuer, key := range keys {
		for claimed := range keys {
			token := signed(t, key, "1", by(claimed))
			if claimed != issuer {
				refused(t, v, RolePublisher, token, "")
				continue
			}
			if grant := accepted(t, v, RolePublisher, token); grant.Issuer != issuer {
				t.Errorf("issuer %q, want %q", grant.Issuer, issuer)
			}
		}
		for _, change := range []object{by("https://stranger.example"), by(""), by(issuer + "/"), {"iss": nil}, {"iss": []any{issuer}}, {"iss": nil, "ISS": issuer}} {
			refused(t, v, RolePublisher, signed(t, key, "1", change), `"iss"`)
		}
	}
	// A role without a key of the issuer has none at all.
	accepted(t, v, RoleSubscriber, signed(t, other, "1", by(otherIssuer)))
	refused(t, v, RoleSubscriber, signed(t, third, "1", by(thirdIssuer)), "no subscriber key")
	refused(t, v, RoleSubscriber, signed(t, own, "1", by(thirdIssuer)), "no subscriber key")

	// 0.x tokens are not bound to an issuer: the hub's own keys verify them, whatever they claim.
	accepted(t, v, RolePublisher, sign(t, own, classicHeader(own), classicClaims(by(otherIssuer))))
	refused(t, v, RolePublisher, sign(t, other, classicHeader(other), classicClaims(by(otherIssuer))), `"alg"`)
	refused(t, v, RolePublisher, sign(t, third, classicHeader(third), classicClaims(by(thirdIssuer))), "signature")
}

// The same name in the sets of two issuers is two keys.
func TestSetsOfTwoIssuersAreNotPooled(t *testing.T) {
	t.Parallel()
	a, b := newES(t), newES(t)
	ofA, ofB := newKeeper(t, jwk(t, a, "1"), jwk(t, a, "a")), newKeeper(t, jwk(t, b, "1"), jwk(t, b, "b"))
	v, c := setVerifier(t, ofA.URL, func(o *Options) {
		o.Issuers = []Issuer{{ID: otherIssuer, PublisherSet: KeySet{URL: ofB.URL}}}
	})
	accepted(t, v, RolePublisher, signed(t, a, "1"))
	accepted(t, v, RolePublisher, signed(t, b, "1", by(otherIssuer)))
	refused(t, v, RolePublisher, signed(t, a, "1", by(otherIssuer)), "signature")
	refused(t, v, RolePublisher, signed(t, b, "1"), "signature")
	refused(t, v, RolePublisher, signed(t, b, "b"), `"kid"`)
	refused(t, v, RolePublisher, signed(t, a, "", by(otherIssuer)), "signature")

	// A token makes the hub ask the issuer that it names, and no other.
	c.advance(minAsk)
	refused(t, v, RolePublisher, signed(t, b, "c"), `"kid"`)
	if x, y := ofA.fetches.Load(), ofB.fetches.Load(); x != 2 || y != 1 {
		t.Errorf("%d and %d fetches, want 2 and 1", x, y)
	}
	// One that cannot be asked does not keep the other from being heard.
	ofB.fail(500)
	refetch(v, c)
	c.advance(1)
	unavailable(t, v, signed(t, b, "c", by(otherIssuer)))
	ofA.keep(t, jwk(t, a, "d"))
	c.advance(minAsk)
	accepted(t, v, RolePublisher, signed(t, a, "d"))
	if age := v.KeySets().Age; age <= minAsk {
		t.Errorf("age is %s, want that of the older set", age)
	}
}

// One location is fetched once for all that verify with it, and each has its own algorithms.
func TestLocationIsFetchedOnceForAll(t *testing.T) {
	t.Parallel()
	ec := newES(t)
	ed, _ := newPair(t, "EdDSA")
	k := newKeeper(t, jwk(t, ec, "ec"), jwk(t, ed, "ed"))
	v, _ := setVerifier(t, k.URL, func(o *Options) {
		o.Issuers = []Issuer{{
			ID:           otherIssuer,
			PublisherSet: KeySet{URL: k.URL, Algorithms: []string{"ES256"}}, SubscriberSet: KeySet{URL: k.URL, Algorithms: []string{"EdDSA", "RS256"}},
		}}
	})
	if n := k.fetches.Load(); n != 1 || len(v.sets) != 1 {
		t.Errorf("%d fetches by %d sets", n, len(v.sets))
	}
	accepted(t, v, RolePublisher, signed(t, ec, "ec"))
	accepted(t, v, RolePublisher, signed(t, ed, "ed"))
	accepted(t, v, RolePublisher, signed(t, ec, "ec", by(otherIssuer)))
	refused(t, v, RolePublisher, signed(t, ed, "ed", by(otherIssuer)), `"alg"`)
	refused(t, v, RoleSubscriber, signed(t, ec, "ec", by(otherIssuer)), `"alg"`)
	accepted(t, v, RoleSubscriber, signed(t, ed, "ed", by(otherIssuer)))
}

// A hub whose own keys have no issuer, or that has no keys of its own, knows its other issuers nonetheless.
func TestIssuersWithoutOwnKeys(t *testing.T) {
	t.Parallel()
	other, own := newSecret(t), newSecret(t)
	issuers := []Issuer{{ID: otherIssuer, Publisher: other}}
	v := newVerifier(t, Key{}, func(o *Options) { o.Issuer, o.Issuers = "", issuers })
	accepted(t, v, RolePublisher, signed(t, other, "", by(otherIssuer)))
	refused(t, v, RolePublisher, signed(t, other, "", by("")), `"iss"`)
	refused(t, v, RolePublisher, sign(t, other, classicHeader(other), classicClaims()), "no publisher key")

	v = newVerifier(t, own, func(o *Options) { o.Issuer, o.Issuers = "", issuers })
	refused(t, v, RolePublisher, signed(t, own, "", by("")), `"iss"`)
	refused(t, v, RolePublisher, signed(t, own, "", object{"iss": nil}), `"iss"`)
	accepted(t, v, RolePublisher, sign(t, own, classicHeader(own), classicClaims()))
}

func TestIssuersThatCannotBeRight(t *testing.T) {
	t.Parallel()
	key, set := newSecret(t), KeySet{URL: "https://issuer.example/jwks"}
	bad := Key{Material: []byte("x"), Algorithm: "none"}
	for name, test := range map[string]struct {
		change func(*Options)
		why    string
	}{
		"no name":            {func(o *Options) { o.Issuers = []Issuer{{Publisher: key}} }, "an issuer has no identifier"},
		"the same twice":     {func(o *Options) { o.Issuers = []Issuer{{ID: otherIssuer}, {ID: otherIssuer}} }, `issuer "https://other.example" is there twice`},
		"the hub's own":      {func(o *Options) { o.Issuers = []Issuer{{ID: testIssuer}} }, "is there twice"},
		"a bad key":          {func(o *Options) { o.Issuers = []Issuer{{ID: otherIssuer, Subscriber: bad}} }, `issuer "https://other.example": subscriber key: unusable key`},
		"a bad set":          {func(o *Options) { o.Issuers = []Issuer{{ID: otherIssuer, PublisherSet: KeySet{URL: "x"}}} }, "publisher key set: unusable key set"},
		"a key and a set":    {func(o *Options) { o.Issuers = []Issuer{{ID: otherIssuer, Publisher: key, PublisherSet: set}} }, "publisher has both a key and a key set"},
		"a key and own set":  {func(o *Options) { o.SubscriberSet = set }, "subscriber has both a key and a key set"},
		"a bad set of its":   {func(o *Options) { o.Publisher, o.PublisherSet = Key{}, KeySet{URL: "http://issuer.example"} }, "publisher key set: unusable key set: plain http"},
		"no time to refresh": {func(o *Options) { o.Refresh = -1 }, "refresh of key sets is negative"},
		"a secret on the way": {func(o *Options) {
			o.Publisher, o.PublisherSet = Key{}, KeySet{URL: set.URL, Algorithms: []string{"HS256"}}
		}, "shared secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Publisher: key, Subscriber: key, Issuer: testIssuer, Space: newSpace(t)}
			test.change(&o)
			err := o.Validate()
			if err == nil || !strings.Contains(err.Error(), test.why) {
				t.Errorf("got %v, want %q", err, test.why)
			}
			if v, err := New(o); v != nil || err == nil {
				t.Error("New took the options")
			}
			if strings.Contains(test.why, "unusable") && !errors.Is(err, ErrKey) && !errors.Is(err, ErrKeySet) {
				t.Errorf("%v is neither ErrKey nor ErrKeySet", err)
			}
		})
	}
}
