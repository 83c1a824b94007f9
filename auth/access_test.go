package auth

import (
	"slices"
	"testing"
	"time"
)

// "Token Validation": the type is compared without the prefix application/ and whatever its case.
func TestAccessTokenIsKnownByItsType(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"} {
		grant := accepted(t, v, RolePublisher, sign(t, key, object{"typ": typ, "alg": "HS256"}, accessClaims()))
		if grant.Dialect != V1 {
			t.Errorf("typ %q: dialect %v, want 1.0", typ, grant.Dialect)
		}
	}
	for name, header := range map[string]object{
		"missing":            {"alg": "HS256"},
		"empty":              {"alg": "HS256", "typ": ""},
		"of another use":     {"alg": "HS256", "typ": "JWT"},
		"of an ID token":     {"alg": "HS256", "typ": "id+jwt"},
		"prefix alone":       {"alg": "HS256", "typ": "application/"},
		"prefix twice":       {"alg": "HS256", "typ": "application/application/at+jwt"},
		"other prefix":       {"alg": "HS256", "typ": "text/at+jwt"},
		"with white space":   {"alg": "HS256", "typ": "at+jwt "},
		"under another name": {"alg": "HS256", "TYP": "at+jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, sign(t, key, header, accessClaims()), `"typ"`)
		})
	}
	for _, typ := range []any{1, true, []any{"at+jwt"}, object{}} {
		refused(t, v, RolePublisher, sign(t, key, object{"alg": "HS256", "typ": typ}, accessClaims()), `"typ"`)
	}
}

// "Security Considerations", "Token Validation": no dialect's token passes by the other's rules.
func TestDialectsAreNotConfused(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)

	t.Run("a classic token of access type falls under 1.0 and fails", func(t *testing.T) {
		t.Parallel()
		refused(t, v, RolePublisher, sign(t, key, accessHeader(key), classicClaims()), `"iss"`)
	})
	t.Run("the mercure claim grants nothing in an access token", func(t *testing.T) {
		t.Parallel()
		claims := accessClaims(classicClaims(), object{"authorization_details": nil})
		grant := accepted(t, v, RolePublisher, sign(t, key, accessHeader(key), claims))
		if grant.Dialect != V1 || grant.Publish != nil || grant.Subscribe != nil {
			t.Errorf("got %+v, want a 1.0 grant of nothing", grant)
		}
	})
	t.Run("an access token that fails does not fall back", func(t *testing.T) {
		t.Parallel()
		for _, change := range []object{
			{"exp": nil}, {"iss": "https://other.example"}, {"aud": "https://other.example"}, {"authorization_details": []any{1}},
		} {
			claims := accessClaims(classicClaims(), change)
			refused(t, v, RolePublisher, sign(t, key, accessHeader(key), claims), "")
		}
	})
	t.Run("authorization details grant nothing in a classic token", func(t *testing.T) {
		t.Parallel()
		refused(t, v, RolePublisher, sign(t, key, classicHeader(key), accessClaims()), `"mercure"`)
		both := accessClaims(object{"mercure": object{}})
		if grant := accepted(t, v, RolePublisher, sign(t, key, classicHeader(key), both)); grant.Dialect != V0 || grant.Publish != nil {
			t.Errorf("got %+v, want a 0.x grant of nothing", grant)
		}
	})
	t.Run("a dialect that is turned off is refused", func(t *testing.T) {
		t.Parallel()
		access, classic := sign(t, key, accessHeader(key), accessClaims()), sign(t, key, classicHeader(key), classicClaims())
		one := newVerifier(t, key, func(o *Options) { o.Protocol = V1 })
		accepted(t, one, RolePublisher, access)
		refused(t, one, RolePublisher, classic, "tokens of 0.x")
		zero := newVerifier(t, key, func(o *Options) { o.Protocol = V0 })
		accepted(t, zero, RolePublisher, classic)
		refused(t, zero, RolePublisher, access, "tokens of 1.0")
	})
}

// "Token Validation": "iss", "aud" and "exp" are enforced, "nbf" if present; RFC 9068, section 4.
func TestAccessTokenClaims(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	now := epoch().Unix()

	for name, change := range map[string]object{
		"an audience among several":         {"aud": []any{"https://other.example", testAudience}},
		"an audience in an array of one":    {"aud": []any{testAudience}},
		"a not before that is now":          {"nbf": now},
		"a not before of null":              {"nbf": (*int)(nil)},
		"an expiry a fraction ahead":        {"exp": float64(now) + 0.5},
		"an expiry in exponent form":        {"exp": 1e15},
		"claims that only issuers rely on":  {"sub": nil, "client_id": nil, "iat": nil, "jti": nil},
		"an issue date that is still ahead": {"iat": now + 3600},
		"claims of other specifications":    {"scope": "openid", "cnf": object{"jkt": "x"}},
	} {
		t.Run("accepts "+name, func(t *testing.T) {
			t.Parallel()
			accepted(t, v, RolePublisher, sign(t, key, accessHeader(key), accessClaims(change)))
		})
	}
	for name, c := range map[string]struct {
		change object
		why    string
	}{
		"no issuer":                       {object{"iss": nil}, `"iss"`},
		"an empty issuer":                 {object{"iss": ""}, `"iss"`},
		"another issuer":                  {object{"iss": "https://other.example"}, `"iss"`},
		"an issuer with a slash more":     {object{"iss": testIssuer + "/"}, `"iss"`},
		"an issuer in another case":       {object{"iss": "https://ISSUER.example"}, `"iss"`},
		"an issuer that is no string":     {object{"iss": []any{testIssuer}}, `"iss"`},
		"an issuer under another name":    {object{"iss": nil, "ISS": testIssuer}, `"iss"`},
		"no audience":                     {object{"aud": nil}, `"aud"`},
		"an empty audience":               {object{"aud": ""}, `"aud"`},
		"an empty array of audiences":     {object{"aud": []any{}}, `"aud"`},
		"another audience":                {object{"aud": "https://other.example"}, `"aud"`},
		"an audience that starts alike":   {object{"aud": testAudience + "/"}, `"aud"`},
		"other audiences":                 {object{"aud": []any{"a", "b"}}, `"aud"`},
		"an audience that is no string":   {object{"aud": object{"0": testAudience}}, `"aud"`},
		"audiences that are not strings":  {object{"aud": []any{testAudience, 1}}, `"aud"`},
		"no expiry":                       {object{"exp": nil}, `"exp"`},
		"an expiry of null":               {object{"exp": (*int)(nil)}, `"exp"`},
		"an expiry under another name":    {object{"exp": nil, "EXP": now + 60}, `"exp"`},
		"an expiry that is a string":      {object{"exp": "1999999999"}, `"exp"`},
		"an expiry before 1970":           {object{"exp": -62135596800}, `"exp"`},
		"an expiry beyond exact numbers":  {object{"exp": 1e300}, `"exp"`},
		"an expiry that is now":           {object{"exp": now}, "expired"},
		"an expiry that has passed":       {object{"exp": now - 1}, "expired"},
		"a not before that is ahead":      {object{"nbf": now + 1}, `"nbf"`},
		"a not before that is no number":  {object{"nbf": true}, `"nbf"`},
		"an issue date that is no number": {object{"iat": "yesterday"}, `"iat"`},
		"a subject that is no string":     {object{"sub": 42}, `"sub"`},
		"an id that is no string":         {object{"jti": 42}, `"jti"`},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, sign(t, key, accessHeader(key), accessClaims(c.change)), c.why)
		})
	}
}

// RFC 7519, section 4: of claims with one name the last one counts, wherever it is read.
func TestLastOfEqualClaimsCounts(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	rest := `"aud":"` + testAudience + `","exp":4000000000,`
	accepted(t, v, RolePublisher, sign(t, key, accessHeader(key), `{`+rest+`"iss":"evil","iss":"`+testIssuer+`"}`))
	refused(t, v, RolePublisher, sign(t, key, accessHeader(key), `{`+rest+`"iss":"`+testIssuer+`","iss":"evil"}`), `"iss"`)
}

// "Token Validation": keys are bound to an issuer, and the hub is configured with its identifier.
func TestAccessTokenNeedsIssuerAndAudienceOfTheHub(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	token := sign(t, key, accessHeader(key), accessClaims())
	anonymous := sign(t, key, accessHeader(key), accessClaims(object{"iss": "", "aud": ""}))

	unbound := newVerifier(t, key, func(o *Options) { o.Issuer = "" })
	refused(t, unbound, RolePublisher, token, "no trusted issuer")
	refused(t, unbound, RolePublisher, anonymous, "no trusted issuer")
	accepted(t, unbound, RolePublisher, sign(t, key, classicHeader(key), classicClaims()))

	v := newVerifier(t, key, nil)
	for _, audience := range []string{"", "https://other.example"} {
		if _, err := v.Verify(RolePublisher, token, audience); err == nil {
			t.Errorf("accepted where the hub is %q", audience)
		}
	}
	if _, err := v.Verify(RolePublisher, sign(t, key, accessHeader(key), accessClaims(object{"aud": ""})), ""); err == nil {
		t.Error("no audience matched no audience")
	}

	fixed := newVerifier(t, key, func(o *Options) { o.Audience = "urn:example:hub" })
	refused(t, fixed, RolePublisher, token, `"aud"`)
	accepted(t, fixed, RolePublisher, sign(t, key, accessHeader(key), accessClaims(object{"aud": "urn:example:hub"})))
}

// "Subscribers": a stream ends no later than its token, so the grant tells when that is.
func TestGrantCarriesIdentityAndExpiry(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	grant := accepted(t, v, RoleSubscriber, sign(t, key, accessHeader(key), accessClaims()))
	if grant.ID != "token-1" || grant.Subject != "alice" || grant.Issuer != testIssuer {
		t.Errorf("got jti %q, sub %q, iss %q", grant.ID, grant.Subject, grant.Issuer)
	}
	if want := epoch().Add(time.Minute); !grant.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", grant.Expires, want)
	}
	forever := accepted(t, v, RoleSubscriber, sign(t, key, classicHeader(key), classicClaims()))
	if !forever.Expires.IsZero() || forever.ID != "" || forever.Subject != "" || forever.Issuer != "" {
		t.Errorf("got %+v, want no identity and no expiry", forever)
	}
}

func TestProtocolHasATextForm(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, p := range []Protocol{Both, V1, V0} {
		texts = append(texts, p.String())
		if parsed, err := ParseProtocol(p.String()); err != nil || parsed != p {
			t.Errorf("%v read as %v, %v", p, parsed, err)
		}
	}
	if !slices.Equal(texts, []string{"both", "1.0", "0.x"}) {
		t.Errorf("got %q", texts)
	}
	for _, s := range []string{"", "1", "BOTH", "unknown"} {
		if _, err := ParseProtocol(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}
