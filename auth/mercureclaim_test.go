package auth

import (
	"fmt"
	"strings"
	"testing"

	"hubd/mercure"
)

// classicToken is a 0.x token with this claim, as JSON text.
func classicToken(tb testing.TB, key Key, claim string) string {
	tb.Helper()
	return sign(tb, key, classicHeader(key), `{"mercure":`+claim+`}`)
}

// 0.x, "Publishers" and "Subscribers".
func TestMercureClaimGrantsBySelectors(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)

	grant := accepted(t, v, RolePublisher, classicToken(t, key,
		`{"publish":["`+book1+`"],"subscribe":["urn:none","https://example.com/books/{id}"]}`))
	if grant.Dialect != V0 {
		t.Errorf("dialect %v, want 0.x", grant.Dialect)
	}
	grants(t, "publish", grant.Publish, book1, true)
	grants(t, "publish", grant.Publish, book2, false)
	grants(t, "subscribe", grant.Subscribe, book2, true)
	grants(t, "subscribe", grant.Subscribe, "https://example.com/books/{id}", true)
	grants(t, "subscribe", grant.Subscribe, "https://example.com/users/1", false)

	wild := accepted(t, v, RolePublisher, classicToken(t, key, `{"publish":["*"]}`))
	grants(t, "publish", wild.Publish, book1, true)
	grants(t, "subscribe", wild.Subscribe, book1, false)

	// Any string is a selector: one that is no URI Template matches itself.
	odd := accepted(t, v, RolePublisher, classicToken(t, key, `{"publish":["{{"]}`))
	grants(t, "publish", odd.Publish, "{{", true)
}

// 0.x, "Publishers": what is missing or empty authorizes nothing.
func TestMercureClaimMayGrantNothing(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	for _, claim := range []string{
		`{}`, `{"publish":[],"subscribe":[]}`, `{"publish":null,"subscribe":null,"payload":null}`,
		`{"Publish":["*"],"SUBSCRIBE":["*"]}`, `{"other":["*"]}`,
	} {
		grant := accepted(t, v, RoleSubscriber, classicToken(t, key, claim))
		if grant.Publish != nil || grant.Subscribe != nil || grant.Payload(mercure.Matcher{Pattern: "*"}) != nil {
			t.Errorf("%s granted something", claim)
		}
	}
}

// The objects of 1.0 have the meaning of 1.0 in the claim of 0.x.
func TestMercureClaimTakesMatcherObjects(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	grant := accepted(t, v, RolePublisher, classicToken(t, key, `{
		"publish": [{"match":"https://example.com/books/:id","match_type":"urlpattern"}],
		"subscribe": [{"match":"https://example.com/books/:id"}, "`+book2+`"]}`))
	grants(t, "publish", grant.Publish, book1, true)
	grants(t, "subscribe", grant.Subscribe, book1, false)
	grants(t, "subscribe", grant.Subscribe, book2, true)
}

func TestNamespacedMercureClaim(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	for claims, want := range map[string]string{
		`{"https://mercure.rocks/":{"publish":["urn:a"]}}`:                                    "urn:a",
		`{"https://mercure.rocks/":{"publish":["urn:a"]},"mercure":{"publish":["urn:b"]}}`:    "urn:a",
		`{"https://mercure.rocks/":null,"mercure":{"publish":["urn:b"]}}`:                     "urn:b",
		`{"https://mercure.rocks":{"publish":["urn:a"]},"mercure":{"publish":["urn:b"]}}`:     "urn:b",
		`{"https://mercure.rocks/ ":{"publish":["urn:a"]},"mercure":{"publish":["urn:b"]}}`:   "urn:b",
		`{"mercure":{"publish":["urn:c"]},"mercure":{"publish":["urn:b"]},"Mercure":{"x":1}}`: "urn:b",
	} {
		grant := accepted(t, v, RolePublisher, sign(t, key, classicHeader(key), claims))
		for _, topic := range []string{"urn:a", "urn:b", "urn:c"} {
			grants(t, claims, grant.Publish, topic, topic == want)
		}
	}
}

func TestDefectiveMercureClaimRefusesTheToken(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	for _, claim := range []string{
		`null`, `[]`, `"*"`, `true`, `["*"]`,
		`{"publish":"*"}`, `{"publish":{}}`, `{"publish":1}`, `{"subscribe":"*"}`,
		`{"publish":["*",1]}`, `{"publish":["*",null]}`, `{"publish":["*",["*"]]}`, `{"publish":["*",{}]}`,
		`{"publish":["*",{"match":"a","match_type":"template"}]}`,
		`{"publish":["*",{"match":"(((","match_type":"urlpattern"}]}`,
		`{"publish":["*"],"subscribe":["*",{"match":null}]}`,
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, classicToken(t, key, claim), "")
			refused(t, v, RoleSubscriber, classicToken(t, key, claim), "")
		})
	}
	refused(t, v, RolePublisher, sign(t, key, classicHeader(key), `{}`), `no "mercure" claim`)
	refused(t, v, RolePublisher, sign(t, key, classicHeader(key), `{"Mercure":{"publish":["*"]}}`), `no "mercure" claim`)
}

// The lists are bounded as those of 1.0 are ("Resource Limits").
func TestMercureClaimIsBounded(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, func(o *Options) { o.Limits.Topics = 2 })
	for _, list := range []string{"publish", "subscribe"} {
		accepted(t, v, RolePublisher, classicToken(t, key, fmt.Sprintf(`{%q:["a","b"]}`, list)))
		refused(t, v, RolePublisher, classicToken(t, key, fmt.Sprintf(`{%q:["a","b","c"]}`, list)), "more than 2")
	}
	many := strings.TrimSuffix(strings.Repeat(`"a",`, defaultTopics), ",")
	full := newVerifier(t, key, nil)
	accepted(t, full, RolePublisher, classicToken(t, key, `{"publish":[`+many+`]}`))
	refused(t, full, RolePublisher, classicToken(t, key, `{"publish":["a",`+many+`]}`), "more than 1000")
}

// 0.x, "Payload": one JSON document of any kind for every subscription.
func TestPayloadOfMercureClaim(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	for document, want := range map[string]string{
		"{\n \"user\": \"a\\nb\",\r\n \"groups\": [1, 2]\n}": `{"user":"a\nb","groups":[1,2]}`,
		`"text"`:                   `"text"`,
		`[1, {"a": null}]`:         `[1,{"a":null}]`,
		`0`:                        `0`,
		`false`:                    `false`,
		`12345678901234567890.123`: `12345678901234567890.123`,
		`null`:                     ``,
	} {
		grant := accepted(t, v, RoleSubscriber, classicToken(t, key, `{"payload": `+document+` }`))
		for _, m := range []mercure.Matcher{{Pattern: "*"}, {Type: mercure.Template, Pattern: "/{a}"}, {Pattern: book1}} {
			if got := string(grant.Payload(m)); got != want {
				t.Errorf("%s for %v: got %s, want %s", document, m, got, want)
			}
		}
	}
}

// 0.x, "Subscribers": "exp" is optional but enforced, and so is "nbf"; nobody is bound by "iss" and
// "aud", which 0.x does not define.
func TestClassicTokenLifetime(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	now := epoch().Unix()
	classic := func(change object) string { return sign(t, key, classicHeader(key), classicClaims(change)) }

	for _, change := range []object{
		{}, {"exp": now + 1}, {"nbf": now}, {"iat": now + 60}, {"exp": (*int)(nil)},
		{"iss": "https://other.example", "aud": "https://other.example", "sub": "bob", "jti": "1"},
	} {
		accepted(t, v, RolePublisher, classic(change))
	}
	accepted(t, v, RolePublisher, sign(t, key, object{"alg": "HS256"}, classicClaims()))
	refused(t, v, RolePublisher, classic(object{"exp": now}), "expired")
	refused(t, v, RolePublisher, classic(object{"exp": 0}), "expired")
	refused(t, v, RolePublisher, classic(object{"exp": "1999999999"}), `"exp"`)
	refused(t, v, RolePublisher, classic(object{"exp": -62135596800}), `"exp"`)
	refused(t, v, RolePublisher, classic(object{"nbf": now + 1}), `"nbf"`)
	refused(t, v, RolePublisher, classic(object{"iat": "now"}), `"iat"`)
	refused(t, v, RolePublisher, classic(object{"sub": 1}), `"sub"`)
}
