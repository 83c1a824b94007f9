package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hubd/topics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testIssuer   = "https://issuer.example"
	testAudience = "https://hub.example/.well-known/mercure"
)

// epoch is when tests take place.
func epoch() time.Time { return time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC) }

func newSecret(tb testing.TB) Key {
	tb.Helper()
	material := make([]byte, 64)
	if _, err := rand.Read(material); err != nil {
		tb.Fatal(err)
	}
	return Key{Material: material, Algorithm: "HS256"}
}

// newPair returns a private key for the algorithm and the public half, both as PEM text.
func newPair(tb testing.TB, algorithm string) (private, public Key) {
	tb.Helper()
	var signer crypto.Signer
	var err error
	switch algorithm {
	case "ES256":
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		signer, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		signer, err = rsa.GenerateKey(rand.Reader, minRSABits)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return pairOf(tb, algorithm, signer)
}

func pairOf(tb testing.TB, algorithm string, signer crypto.Signer) (private, public Key) {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		tb.Fatal(err)
	}
	private = Key{Material: pemText("PRIVATE KEY", der), Algorithm: algorithm}
	der, err = x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		tb.Fatal(err)
	}
	return private, Key{Material: pemText("PUBLIC KEY", der), Algorithm: algorithm}
}

func pemText(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func newSpace(tb testing.TB) *topics.Space {
	tb.Helper()
	space, err := topics.NewSpace(topics.Options{BaseURL: testAudience, MaxPattern: 2048})
	if err != nil {
		tb.Fatal(err)
	}
	return space
}

// newVerifier returns a verifier with key for both roles, without a cache unless change sets one.
func newVerifier(tb testing.TB, key Key, change func(*Options)) *Verifier {
	tb.Helper()
	o := Options{
		Publisher: key, Subscriber: key, Issuer: testIssuer, Space: newSpace(tb), Now: epoch, CacheTokens: -1,
	}
	if change != nil {
		change(&o)
	}
	v, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// object is a JSON object; a value of nil in a change leaves the member out.
type object = map[string]any

func with(base object, changes ...object) object {
	result := maps.Clone(base)
	for _, change := range changes {
		for name, value := range change {
			if value == nil {
				delete(result, name)
			} else {
				result[name] = value
			}
		}
	}
	return result
}

// accessClaims are those of a valid 1.0 token, changed.
func accessClaims(changes ...object) object {
	return with(object{
		"iss": testIssuer, "aud": testAudience, "sub": "alice", "client_id": testIssuer, "jti": "token-1",
		"iat": epoch().Unix(), "exp": epoch().Add(time.Minute).Unix(),
		"authorization_details": []any{detailOf()},
	}, changes...)
}

// detailOf is a valid authorization detail, changed.
func detailOf(changes ...object) object {
	return with(object{
		"type": detailType, "actions": []any{"publish", "subscribe"},
		"topics": []any{object{"match": "https://example.com/books/1"}},
	}, changes...)
}

// classicClaims are those of a valid 0.x token, changed.
func classicClaims(changes ...object) object {
	return with(object{"mercure": object{
		"publish": []any{"https://example.com/books/1"}, "subscribe": []any{"https://example.com/books/1"},
	}}, changes...)
}

func accessHeader(key Key) object  { return object{"typ": "at+jwt", "alg": key.algorithm()} }
func classicHeader(key Key) object { return object{"typ": "JWT", "alg": key.algorithm()} }

// sign makes a token of whatever it is given: a string stands for itself, all else is encoded.
func sign(tb testing.TB, key Key, header, claims any) string {
	tb.Helper()
	text := segment(tb, header) + "." + segment(tb, claims)
	method, material, err := key.signing()
	if err != nil {
		tb.Fatal(err)
	}
	signature, err := method.Sign(text, material)
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(tb testing.TB, content any) string {
	tb.Helper()
	text, ok := content.(string)
	if !ok {
		data, err := json.Marshal(content)
		if err != nil {
			tb.Fatal(err)
		}
		text = string(data)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// accepted verifies a token that has to be valid.
func accepted(t *testing.T, v *Verifier, role Role, token string) *Grant {
	t.Helper()
	grant, err := v.Verify(role, token, testAudience)
	if err != nil {
		t.Fatalf("a valid token was refused: %v", err)
	}
	return grant
}

// refused verifies a token that has to be refused for a reason that contains why, with an error that
// holds neither the token nor a part of it.
func refused(t *testing.T, v *Verifier, role Role, token, why string) {
	t.Helper()
	grant, err := v.Verify(role, token, testAudience)
	if err == nil {
		t.Fatal("the token was accepted")
	}
	if grant != nil {
		t.Error("a grant came with the error")
	}
	if !errors.Is(err, ErrInvalidToken) {
		t.Errorf("the error does not wrap ErrInvalidToken: %v", err)
	}
	if !strings.Contains(err.Error(), why) {
		t.Errorf("refused for %q, want a reason with %q", err, why)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("the error holds a part of the token: %v", err)
		}
	}
}
