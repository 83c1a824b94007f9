package auth

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"
)

// "Token Validation": the algorithm is compatible with the key, which is checked where both are
// configured. The message says what is wrong and never shows the key.
func TestUnusableKeysAreRefused(t *testing.T) {
	t.Parallel()
	rsaPrivate, rsaPublic := newPair(t, "RS256")
	_, ecPublic := newPair(t, "ES256")
	_, edPublic := newPair(t, "EdDSA")
	as := func(k Key, algorithm string) Key { k.Algorithm = algorithm; return k }

	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, weakPublic := pairOf(t, "RS256", weak)
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(exchange)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x"),
	})

	for name, c := range map[string]struct {
		key Key
		why string
	}{
		"no algorithm at all":        {as(newSecret(t), "none"), `"none" is not one of HS256`},
		"an algorithm unknown":       {as(newSecret(t), "HS1"), `"HS1" is not one of`},
		"an algorithm in lower case": {as(newSecret(t), "hs256"), `"hs256" is not one of`},
		"a blank secret":             {Key{Material: []byte(" \n")}, "the secret of HS256 is empty"},
		"a public key as secret":     {as(rsaPublic, "HS256"), "HS256 takes a secret, this is PEM text"},
		"a public key by default":    {as(ecPublic, ""), "HS256 takes a secret, this is PEM text"},
		"a private key as secret":    {as(rsaPrivate, "HS512"), "HS512 takes a secret, this is PEM text"},
		"a secret as public key":     {as(newSecret(t), "RS256"), "RS256 takes a key as PEM text"},
		"damaged PEM":                {Key{Material: pemText("PUBLIC KEY", []byte("no key")), Algorithm: "ES256"}, "ES256 takes a key as PEM text"},
		"PEM of something else":      {Key{Material: pemText("X509 CRL", []byte("x")), Algorithm: "ES256"}, "no key was found"},
		"an encrypted key":           {Key{Material: encrypted, Algorithm: "RS256"}, "is encrypted"},
		"another encrypted key":      {Key{Material: pemText("ENCRYPTED PRIVATE KEY", nil), Algorithm: "RS256"}, "is encrypted"},
		"a damaged certificate":      {Key{Material: pemText("CERTIFICATE", []byte("x")), Algorithm: "RS256"}, "PEM text"},
		"an EC key for RSA":          {as(ecPublic, "RS256"), "takes an RSA key of at least 2048 bits, this is an ECDSA public key on curve P-256"},
		"an EC key for RSA-PSS":      {as(ecPublic, "PS512"), "takes an RSA key"},
		"an RSA key for EC":          {as(rsaPublic, "ES256"), "takes an ECDSA key on curve P-256, this is an RSA public key of 2048 bits"},
		"an RSA private key for EC":  {as(rsaPrivate, "ES256"), "this is an RSA private key of 2048 bits"},
		"an EC key of another curve": {as(ecPublic, "ES384"), "takes an ECDSA key on curve P-384"},
		"an RSA key for Ed25519":     {as(rsaPublic, "EdDSA"), "takes an Ed25519 key"},
		"an Ed25519 key for EC":      {as(edPublic, "ES256"), "this is an Ed25519 public key"},
		"a small RSA key":            {weakPublic, "this is an RSA public key of 1024 bits"},
		"a key for key exchange":     {Key{Material: pemText("PRIVATE KEY", der), Algorithm: "EdDSA"}, "a key of another kind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{Publisher: c.key, Subscriber: newSecret(t), Space: newSpace(t)}
			err := o.Validate()
			if !errors.Is(err, ErrKey) {
				t.Fatalf("got %v, want ErrKey", err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "publisher key: ") || !strings.Contains(text, c.why) {
				t.Errorf("got %q, want the publisher key and %q", text, c.why)
			}
			for line := range bytes.Lines(c.key.Material) {
				if line = bytes.TrimSpace(line); len(line) > 10 && strings.Contains(err.Error(), string(line)) {
					t.Errorf("the error holds a part of the key: %v", err)
				}
			}
			if _, err := New(o); err == nil {
				t.Error("New took the key")
			}
		})
	}
}

func TestEveryFormOfKeyIsRead(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: epoch().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	rsaPair, rsaPublic := pairOf(t, "RS256", private)
	ecPair, ecPublic := pairOf(t, "ES256", curve)
	parameters := pemText("EC PARAMETERS", []byte{6, 8})

	for name, c := range map[string]struct {
		signer   Key
		material []byte
	}{
		"PKIX, RSA":                 {rsaPair, rsaPublic.Material},
		"PKIX, EC":                  {ecPair, ecPublic.Material},
		"PKIX amid other text":      {ecPair, append([]byte("My key:\n"), ecPublic.Material...)},
		"PKIX without a line break": {ecPair, bytes.TrimSpace(ecPublic.Material)},
		"PKCS #1, public":           {rsaPair, pemText("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey))},
		"PKCS #1, private":          {rsaPair, pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private))},
		"PKCS #8":                   {rsaPair, rsaPair.Material},
		"SEC 1 after parameters":    {ecPair, append(parameters, pemText("EC PRIVATE KEY", sec1)...)},
		"a certificate":             {rsaPair, pemText("CERTIFICATE", certificate)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, Key{Material: c.material, Algorithm: c.signer.Algorithm}, nil)
			accepted(t, v, RolePublisher, sign(t, c.signer, accessHeader(c.signer), accessClaims()))
		})
	}
}

func TestKeyDoesNotChangeWithItsMaterial(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	token := sign(t, key, accessHeader(key), accessClaims())
	v := newVerifier(t, key, nil)
	clear(key.Material)
	accepted(t, v, RolePublisher, token)
}

// RFC 7518, section 3.2.
func TestWeakSecretsAreReported(t *testing.T) {
	t.Parallel()
	_, public := newPair(t, "EdDSA")
	for _, c := range []struct {
		key  Key
		weak bool
	}{
		{Key{Material: make([]byte, 31)}, true},
		{Key{Material: make([]byte, 32)}, false},
		{Key{Material: make([]byte, 63), Algorithm: "HS512"}, true},
		{Key{Material: make([]byte, 64), Algorithm: "HS512"}, false},
		{public, false},
		{Key{Material: []byte("x"), Algorithm: "none"}, false},
	} {
		if got := c.key.Weakness(); (got != "") != c.weak {
			t.Errorf("%v of %d bytes: %q", c.key, len(c.key.Material), got)
		}
	}
}

func TestKeyIsNotShown(t *testing.T) {
	t.Parallel()
	key := Key{Material: []byte("!ChangeMe!"), Algorithm: "HS256"}
	options := Options{Publisher: key}
	encoded, err := json.Marshal(map[string]Key{"key": key})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "key", key, "options", options)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "key", key, "wrapped", struct{ Key Key }{key})
	for _, shown := range []string{
		fmt.Sprint(key), fmt.Sprintf("%+v %#v %s %q %x %d", key, key, key, key, key, key), fmt.Sprintf("%+v %#v", options, &options),
		string(encoded), log.String(),
	} {
		for _, form := range []string{"!ChangeMe!", "Q2hhbmdlTWUh", "4368616e67654d65", "67 104 97", "0x43", "33, 67"} {
			if strings.Contains(shown, form) {
				t.Errorf("%q shows the key", shown)
			}
		}
	}
	if got := fmt.Sprint(key); got != "{HS256 key}" {
		t.Errorf("got %q", got)
	}
}

func TestOptionsNameEveryFault(t *testing.T) {
	t.Parallel()
	good := Options{Publisher: newSecret(t), Space: newSpace(t)}
	if err := good.Validate(); err != nil {
		t.Errorf("good options were refused: %v", err)
	}
	bad := Options{
		Protocol: 3, Publisher: Key{Material: []byte("x"), Algorithm: "a"}, Subscriber: Key{Material: []byte("x"), Algorithm: "b"},
		Limits: Limits{Details: -1},
	}
	err := bad.Validate()
	for _, part := range []string{"protocol", "publisher key", "subscriber key", "space", "limit"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name the %s", err, part)
		}
	}
}
