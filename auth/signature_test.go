package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// "Token Validation": the allowlist is explicit and includes at least EdDSA, ES256 and RS256.
func TestEveryAlgorithmVerifiesItsOwnSignatures(t *testing.T) {
	t.Parallel()
	rsaPrivate, rsaPublic := newPair(t, "RS256")
	for _, algorithm := range Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			private, public := rsaPrivate, rsaPublic
			switch algorithm[:2] {
			case "HS":
				private = newSecret(t)
				public = private
			case "ES", "Ed":
				private, public = newPair(t, algorithm)
			}
			private.Algorithm, public.Algorithm = algorithm, algorithm

			v := newVerifier(t, public, nil)
			token := sign(t, private, accessHeader(private), accessClaims())
			accepted(t, v, RolePublisher, token)
			accepted(t, newVerifier(t, private, nil), RolePublisher, token)

			other := newSecret(t)
			if algorithm[:2] != "HS" {
				other, _ = newPair(t, algorithm)
			}
			other.Algorithm = algorithm
			refused(t, v, RolePublisher, sign(t, other, accessHeader(other), accessClaims()), "signature")
		})
	}
}

// "Token Validation": alg is not derived from the token and has to be compatible with the key.
func TestAlgorithmOfTheTokenIsNotFollowed(t *testing.T) {
	t.Parallel()
	private, public := newPair(t, "RS256")
	v := newVerifier(t, public, nil)
	claims := accessClaims()
	unsigned := func(header object) string { return segment(t, header) + "." + segment(t, claims) }

	for name, token := range map[string]string{
		"none":                            unsigned(object{"typ": "at+jwt", "alg": "none"}) + ".",
		"none in another case":            unsigned(object{"typ": "at+jwt", "alg": "nOnE"}) + ".",
		"the algorithm in another case":   unsigned(object{"typ": "at+jwt", "alg": "rs256"}) + ".c2ln",
		"no algorithm":                    unsigned(object{"typ": "at+jwt"}) + ".c2ln",
		"null algorithm":                  sign(t, private, `{"typ":"at+jwt","alg":null}`, claims),
		"a name in another case":          sign(t, private, `{"typ":"at+jwt","ALG":"RS256"}`, claims),
		"another hash of the same family": sign(t, Key{Material: private.Material, Algorithm: "RS512"}, object{"typ": "at+jwt", "alg": "RS512"}, claims),
		"another padding of the same key": sign(t, Key{Material: private.Material, Algorithm: "PS256"}, object{"typ": "at+jwt", "alg": "PS256"}, claims),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, token, `"alg"`)
		})
	}
	t.Run("the public key as the secret of an HMAC", func(t *testing.T) {
		t.Parallel()
		text := unsigned(object{"typ": "at+jwt", "alg": "HS256"})
		for _, secret := range [][]byte{public.Material, []byte(strings.TrimSpace(string(public.Material)))} {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			refused(t, v, RolePublisher, text+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), `"alg"`)
		}
	})
	t.Run("the right name over a signature of another algorithm", func(t *testing.T) {
		t.Parallel()
		secret := newSecret(t)
		refused(t, v, RolePublisher, sign(t, secret, object{"typ": "at+jwt", "alg": "RS256"}, claims), "signature")
	})
}

// "Token Validation": key material supplied by the token is not used. RFC 7515, section 4.1.11:
// extensions that are not understood refuse the token.
func TestHeaderBringsNoKeyAndNoExtension(t *testing.T) {
	t.Parallel()
	key, foreign := newSecret(t), newSecret(t)
	v := newVerifier(t, key, nil)
	jwk := object{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(foreign.Material), "alg": "HS256"}

	for name, member := range map[string]object{
		"jwk": {"jwk": jwk},
		"jku": {"jku": "https://evil.example/keys"},
		"x5u": {"x5u": "https://evil.example/certificate"},
		"x5c": {"x5c": []any{"AAAA"}},
		"kid": {"kid": "foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, sign(t, foreign, with(accessHeader(key), member), accessClaims()), "signature")
			accepted(t, v, RolePublisher, sign(t, key, with(accessHeader(key), member), accessClaims()))
		})
	}
	for name, header := range map[string]string{
		"an extension":      `{"typ":"at+jwt","alg":"HS256","crit":["b64"],"b64":false}`,
		"an empty list":     `{"typ":"at+jwt","alg":"HS256","crit":[]}`,
		"null":              `{"typ":"at+jwt","alg":"HS256","crit":null}`,
		"an extension, 0.x": `{"typ":"JWT","alg":"HS256","crit":["exp"]}`,
	} {
		t.Run("crit with "+name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, sign(t, key, header, classicClaims()), `"crit"`)
		})
	}
}

// "Authorization": different keys for the roles confine a compromise to one of them.
func TestKeyOfOneRoleIsNotThatOfTheOther(t *testing.T) {
	t.Parallel()
	publisher, subscriber := newSecret(t), newSecret(t)
	v := newVerifier(t, Key{}, func(o *Options) { o.Publisher, o.Subscriber = publisher, subscriber })
	forPublisher := sign(t, publisher, accessHeader(publisher), accessClaims())
	forSubscriber := sign(t, subscriber, accessHeader(subscriber), accessClaims())

	accepted(t, v, RolePublisher, forPublisher)
	accepted(t, v, RoleSubscriber, forSubscriber)
	refused(t, v, RolePublisher, forSubscriber, "signature")
	refused(t, v, RoleSubscriber, forPublisher, "signature")
	refused(t, v, Role(7), forPublisher, "no unknown key")

	none := newVerifier(t, publisher, func(o *Options) { o.Subscriber = Key{Algorithm: "HS256"} })
	refused(t, none, RoleSubscriber, forPublisher, "no subscriber key is configured")
}

// RFC 7515, section 3, in which the last symbol's bits that do not count are zero: a token has one
// spelling. RFC 4648, section 3.5.
func TestSignatureHasOneSpelling(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	token := sign(t, key, accessHeader(key), accessClaims())
	head, last := token[:len(token)-1], token[len(token)-1]
	for i := range len(alphabet) {
		if alphabet[i] == last {
			accepted(t, v, RolePublisher, token)
		} else {
			refused(t, v, RolePublisher, head+alphabet[i:i+1], "signature")
		}
	}
}

// RFC 7515, section 7.1: three segments of base64url without padding, line breaks or white space.
func TestOnlyCompactSerializationIsRead(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	token := sign(t, key, accessHeader(key), accessClaims())
	parts := strings.Split(token, ".")
	accepted(t, v, RolePublisher, token)

	for name, bad := range map[string]string{
		"empty":                         "",
		"dots":                          "..",
		"two segments":                  parts[0] + "." + parts[1],
		"four segments":                 token + "." + parts[2],
		"five segments, as a JWE":       token + ".AAAA.AAAA",
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"part of a signature":           token[:len(token)-4],
		"padding":                       token + "=",
		"a line break at the end":       token + "\n",
		"a line break in the signature": parts[0] + "." + parts[1] + "." + parts[2][:4] + "\r\n" + parts[2][4:],
		"a space":                       " " + token,
		"the other base64 alphabet":     strings.NewReplacer("-", "+", "_", "/").Replace(sign(t, key, accessHeader(key), accessClaims(object{"sub": "????????"}))),
		"JSON serialization":            `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"a header that is an array":     sign(t, key, `["alg","HS256"]`, accessClaims()),
		"a header that is null":         sign(t, key, `null`, accessClaims()),
		"claims that are an array":      sign(t, key, accessHeader(key), `[]`),
		"claims that are null":          sign(t, key, accessHeader(key), `null`),
		"claims that are no JSON":       sign(t, key, accessHeader(key), `{"iss":`),
		"claims that are not UTF-8":     sign(t, key, classicHeader(key), "{\"mercure\":{\"publish\":[\"\xff\"]}}"),
		"a header that is not UTF-8":    sign(t, key, "{\"alg\":\"HS256\",\"kid\":\"\xff\"}", classicClaims()),
		"nothing but a key's signature": sign(t, key, accessHeader(key), ``),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, v, RolePublisher, bad, "")
		})
	}
}

// "Resource Limits": the size of a token is bounded.
func TestTokenLengthIsBounded(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	token := sign(t, key, accessHeader(key), accessClaims())
	for _, limit := range []int{len(token), len(token) - 1} {
		v := newVerifier(t, key, func(o *Options) { o.Limits.TokenBytes = limit })
		if limit >= len(token) {
			accepted(t, v, RolePublisher, token)
		} else {
			refused(t, v, RolePublisher, token, "longer than")
		}
	}
	long := sign(t, key, accessHeader(key), accessClaims(object{"sub": strings.Repeat("a", defaultTokenBytes)}))
	refused(t, newVerifier(t, key, nil), RolePublisher, long, "longer than 16384 bytes")
}
