package auth

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"hubd/mercure"
)

// Whoever has no key gets nothing: of all strings, only the tokens that were signed are accepted.
func FuzzVerifyOnlyAcceptsWhatWasSigned(f *testing.F) {
	key := newSecret(f)
	v := newVerifier(f, key, nil)
	valid := []string{
		sign(f, key, accessHeader(key), accessClaims()), sign(f, key, classicHeader(key), classicClaims()),
	}
	for _, token := range valid {
		f.Add(0, "", token)
		f.Add(0, strings.Split(token, ".")[0], "")
	}
	f.Add(1, "eyJhbGciOiJub25lIn0", "")
	f.Add(2, "", ".")
	// The key is another in each process, so a mutation is one of the present tokens: a cut, a
	// replacement of its head and an addition.
	f.Fuzz(func(t *testing.T, cut int, head, tail string) {
		for _, token := range append(valid, "") {
			at := 0
			if len(token) > 0 {
				at = int(uint(cut) % uint(len(token)))
			}
			for _, mutant := range []string{head + token[at:] + tail, token[:at] + tail, token[:at] + head + token[min(at+len(head), len(token)):]} {
				_, err := v.Verify(RolePublisher, mutant, testAudience)
				if (err == nil) != slices.Contains(valid, mutant) {
					t.Errorf("%q: %v", mutant, err)
				}
			}
		}
	})
}

// Claims of any form, properly signed, are accepted only with what the dialect requires, judged here
// by a reader of its own.
func FuzzVerifyClaims(f *testing.F) {
	key := newSecret(f)
	v := newVerifier(f, key, nil)
	for _, claims := range []object{accessClaims(), classicClaims(), accessClaims(classicClaims()), with(classicClaims(), object{"exp": 1})} {
		data, err := json.Marshal(claims)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(true, string(data))
		f.Add(false, string(data))
	}
	f.Add(false, `{"mercure":{"publish":["*",{"match":"a","match_type":"urlpattern"}],"payload":[1]}}`)
	f.Add(false, `{"https://mercure.rocks/":{"subscribe":["{a}"]},"aud":["a","b"]}`)
	f.Fuzz(func(t *testing.T, access bool, text string) {
		header := classicHeader(key)
		if access {
			header = accessHeader(key)
		}
		grant, err := v.Verify(RoleSubscriber, sign(t, key, header, text), testAudience)
		if err != nil {
			return
		}
		var claims map[string]any
		if err := json.Unmarshal([]byte(text), &claims); err != nil {
			t.Fatalf("accepted claims that are no JSON: %v", err)
		}
		if exp, ok := claims["exp"].(float64); (access || claims["exp"] != nil) && (!ok || exp <= float64(epoch().Unix())) {
			t.Error("accepted without an expiry that is ahead")
		}
		if nbf, ok := claims["nbf"].(float64); ok && nbf > float64(epoch().Unix()) {
			t.Error("accepted ahead of its time")
		}
		if access && claims["iss"] != testIssuer {
			t.Error("accepted from another issuer")
		}
		if access && claims["authorization_details"] == nil && (grant.Publish != nil || grant.Subscribe != nil) {
			t.Error("granted without authorization details")
		}
		if access != (grant.Dialect == V1) {
			t.Errorf("dialect %v", grant.Dialect)
		}
		payload := grant.Payload(mercure.Matcher{Pattern: "*"})
		if payload != nil && (!json.Valid(payload) || strings.ContainsAny(string(payload), "\r\n")) {
			t.Errorf("payload %q is not one line of JSON", payload)
		}
	})
}
