package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// checked returns what a set of the keys says about a token.
func checked(t *testing.T, token string, keys ...object) error {
	t.Helper()
	set, err := readJWKS(setOf(t, keys...))
	if err != nil {
		t.Fatal(err)
	}
	j, err := parseJWS(token)
	if err != nil {
		t.Fatal(err)
	}
	return set.verify(j)
}

// RFC 7518, section 6, and RFC 8037, section 2. A key without "alg" is good for every algorithm of its type, one
// with it for no other (RFC 7517, section 4.4).
func TestKeyOfASetVerifiesWhatFits(t *testing.T) {
	t.Parallel()
	rsaPrivate, _ := newPair(t, "RS256")
	for _, algorithm := range Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			key := rsaPrivate
			switch algorithm[:2] {
			case "HS":
				key = newSecret(t)
			case "ES", "Ed":
				key, _ = newPair(t, algorithm)
			}
			key.Algorithm = algorithm
			token := signed(t, key, "1")
			for _, good := range []object{{}, {"alg": algorithm}, {"use": "sig"}, {"key_ops": []any{"verify"}}, {"key_ops": []any{"sign", "verify"}}} {
				if err := checked(t, token, jwk(t, key, "1", good)); err != nil {
					t.Errorf("with %v: %v", good, err)
				}
			}
			other := Algorithms()[(slices.Index(Algorithms(), algorithm)+1)%len(Algorithms())]
			for _, bad := range []object{{"alg": other}, {"alg": "none"}, {"alg": strings.ToLower(algorithm)}, {"use": "enc"}, {"use": "x"}, {"key_ops": []any{"encrypt"}}} {
				if err := checked(t, token, jwk(t, key, "1", bad)); err == nil {
					t.Errorf("with %v the key verified", bad)
				}
			}
		})
	}
}

// "Token Validation", RFC 8725, section 2.1: what is public is never the secret of an HMAC.
func TestPublicKeyOfASetIsNoSecret(t *testing.T) {
	t.Parallel()
	key, public := newPair(t, "RS256")
	for _, claim := range []object{{}, {"alg": "HS256"}, {"k": base64.RawURLEncoding.EncodeToString(public.Material)}} {
		published := jwk(t, key, "", claim)
		n, err := base64.RawURLEncoding.DecodeString(published["n"].(string))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range [][]byte{public.Material, n, []byte(published["n"].(string)), setOf(t, published), nil} {
			text := segment(t, object{"typ": "at+jwt", "alg": "HS256"}) + "." + segment(t, accessClaims())
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			if err := checked(t, text+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), published); err == nil {
				t.Errorf("with %v a secret of %d bytes signed", claim, len(secret))
			}
		}
	}
}

// RFC 7517, section 5: keys that are not understood are passed over, and the others count.
func TestUnusableKeysOfASetAreSkipped(t *testing.T) {
	t.Parallel()
	key, _ := newPair(t, "ES256")
	private, _ := newPair(t, "RS256")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	huge := new(big.Int).Lsh(big.NewInt(1), maxRSABits)
	good := jwk(t, key, "good")
	for name, bad := range map[string]any{
		"of an unknown type":    object{"kty": "AKP", "kid": "x"},
		"of another curve":      with(good, object{"crv": "secp256k1"}),
		"of a curve too small":  with(good, object{"crv": "P-384"}),
		"off the curve":         with(good, object{"x": good["y"]}),
		"without a type":        with(good, object{"kty": nil}),
		"without a coordinate":  with(good, object{"y": nil}),
		"not base64url":         with(good, object{"x": "!"}),
		"a number":              7,
		"null":                  nil,
		"with a name of number": with(good, object{"kid": 7}),
		"a weak RSA key":        map[string]any{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(small.N.Bytes()), "e": "AQAB"},
		"a huge RSA key":        object{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(huge.Bytes()), "e": "AQAB"},
		"a huge exponent":       jwk(t, private, "", object{"e": base64.RawURLEncoding.EncodeToString(huge.Bytes())}),
		"no secret":             object{"kty": "oct", "k": ""},
		"an empty secret":       object{"kty": "oct", "k": "="},
		"for key exchange":      object{"kty": "OKP", "crv": "X25519", "x": base64.RawURLEncoding.EncodeToString(make([]byte, 32))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(object{"keys": []any{bad, good}})
			if err != nil {
				t.Fatal(err)
			}
			set, err := readJWKS(body)
			if err != nil {
				t.Fatal(err)
			}
			if set.used != 1 || set.skipped != 1 || len(set.keys) != 1 || set.keys[0].id != "good" {
				t.Errorf("used %d, skipped %d: %+v", set.used, set.skipped, set.keys)
			}
		})
	}
}

// A certificate that cannot be read does not cost the key, and one that is there is not asked.
func TestCertificatesOfASetAreNotRead(t *testing.T) {
	t.Parallel()
	key, _ := newPair(t, "EdDSA")
	published := jwk(t, key, "1", object{"x5c": []any{"AAAA"}, "x5t": "A", "x5t#S256": "!", "x5u": "http://127.0.0.1:1/"})
	if err := checked(t, signed(t, key, "1"), published); err != nil {
		t.Error(err)
	}
}

// Who publishes a private key has lost it, but the hub reads no more than the public half.
func TestPrivateKeyOfASetIsNotRead(t *testing.T) {
	t.Parallel()
	key, _ := newPair(t, "EdDSA")
	published := jwk(t, key, "1", object{"d": "not even base64url!"})
	if err := checked(t, signed(t, key, "1"), published); err != nil {
		t.Error(err)
	}
}

// "Token Validation": "kid" is a hint to choose among the trusted keys.
func TestKeyIsChosenByItsName(t *testing.T) {
	t.Parallel()
	a, _ := newPair(t, "ES256")
	b, _ := newPair(t, "ES256")
	c, _ := newPair(t, "EdDSA")
	named := []object{jwk(t, a, "a"), jwk(t, b, "b"), jwk(t, c, "c")}
	nameless := []object{jwk(t, a, ""), jwk(t, b, "")}
	for name, test := range map[string]struct {
		token string
		keys  []object
		why   string // why it is refused; empty if it is not
	}{
		"its own":                      {signed(t, b, "b"), named, ""},
		"that of another key":          {signed(t, b, "a"), named, "signature"},
		"that of no key":               {signed(t, b, "z"), named, `"kid"`},
		"in another case":              {signed(t, b, "B"), named, `"kid"`},
		"none":                         {signed(t, b, ""), named, ""},
		"none, by no key":              {signed(t, newES(t), ""), named, "signature"},
		"any, and keys without":        {signed(t, b, "z"), nameless, ""},
		"any, by no key without":       {signed(t, newES(t), "z"), nameless, `"kid"`},
		"named, and keys without":      {signed(t, b, "a"), append(nameless, named[0]), "signature"},
		"of two keys":                  {signed(t, b, "a"), []object{jwk(t, a, "a"), jwk(t, b, "a")}, ""},
		"none, and no key at all":      {signed(t, b, ""), nil, `"alg"`},
		"of a key of another type":     {signed(t, b, "c"), named, `"alg"`},
		"its own, and the set is none": {signed(t, b, "b"), nil, `"kid"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checked(t, test.token, test.keys...)
			if (err == nil) != (test.why == "") || err != nil && !strings.Contains(err.Error(), test.why) {
				t.Errorf("got %v, want %q", err, test.why)
			}
			if errors.Is(err, errUnknownKey) != (test.why == `"kid"`) {
				t.Errorf("%v asks for a newer set", err)
			}
		})
	}
}

func newES(t *testing.T) Key {
	t.Helper()
	key, _ := newPair(t, "ES256")
	return key
}

// Anybody can send a token without "kid", so the signatures that are checked for it are bounded.
func TestTriesAreBounded(t *testing.T) {
	t.Parallel()
	var keys []Key
	var published []object
	for i := range maxTries + 1 {
		key, _ := newPair(t, "EdDSA")
		keys = append(keys, key)
		published = append(published, jwk(t, key, fmt.Sprint(i)))
	}
	if err := checked(t, signed(t, keys[maxTries-1], ""), published...); err != nil {
		t.Errorf("the last key that is tried: %v", err)
	}
	if err := checked(t, signed(t, keys[maxTries], ""), published...); !errors.Is(err, errSignature) {
		t.Errorf("the first key beyond: %v", err)
	}
	if err := checked(t, signed(t, keys[maxTries], fmt.Sprint(maxTries)), published...); err != nil {
		t.Errorf("that key by its name: %v", err)
	}
}

func TestDocumentsThatAreNoKeySet(t *testing.T) {
	t.Parallel()
	many := make([]object, maxSetKeys+1)
	for name, test := range map[string]struct{ body, why string }{
		"empty":         {"", "not a JSON object"},
		"garbage":       {"<html>", "not a JSON object"},
		"a list":        {"[]", "not a JSON object"},
		"no keys":       {"{}", "not a JSON array"},
		"other keys":    {`{"Keys":[]}`, "not a JSON array"},
		"null":          {`{"keys":null}`, "not a JSON array"},
		"one key":       {`{"keys":{}}`, "not a JSON array"},
		"a lone key":    {`{"kty":"oct","k":"AAAA"}`, "not a JSON array"},
		"cut off":       {`{"keys":[{"kty":"oct"`, "not a JSON object"},
		"more after it": {`{"keys":[]}{}`, "not a JSON object"},
		"too many keys": {string(setOf(t, many...)), "more than 100 keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if set, err := readJWKS([]byte(test.body)); set != nil || err == nil || !strings.Contains(err.Error(), test.why) {
				t.Errorf("got %v, %v", set, err)
			}
		})
	}
	if set, err := readJWKS(setOf(t, many[1:]...)); err != nil || set.skipped != maxSetKeys {
		t.Errorf("%d keys: %v", maxSetKeys, err)
	}
	if set, err := readJWKS([]byte(`{"keys":[]}`)); err != nil || set.used+set.skipped != 0 {
		t.Errorf("no keys: %v", err)
	}
}

// Of any document, a key is read for the algorithms of its own type alone.
func FuzzReadJWKS(f *testing.F) {
	for _, algorithm := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
		key := newSecret(f)
		if algorithm != "HS256" {
			key, _ = newPair(f, algorithm)
		}
		f.Add(setOf(f, jwk(f, key, "1"), jwk(f, key, "", object{"alg": algorithm, "use": "sig"})))
	}
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"},{"kty":"RSA","n":"AA","e":"AA"}]}`))
	j := &jws{header: header{algorithm: "HS256"}, text: "a.b", signature: []byte("c")}
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := readJWKS(body)
		if err != nil {
			if set != nil {
				t.Error("a set came with the error")
			}
			return
		}
		if set.used+set.skipped > maxSetKeys {
			t.Errorf("%d keys", set.used+set.skipped)
		}
		for _, k := range set.keys {
			if _, secret := k.material.([]byte); secret != isShared(k.algorithm) {
				t.Errorf("%T for %s", k.material, k.algorithm)
			}
			j.header.algorithm = k.algorithm
			_ = set.verify(j)
		}
	})
}
