package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxKeyFile bounds what is read of a key file; a PEM of the largest sensible key has a few KiB.
const maxKeyFile = 64 << 10

var errKeyFile = errors.New("key file")

// Key says with what the tokens of one role are verified: a key given here, a file that holds it, or a
// key set.
type Key struct {
	// Key is the secret of an HMAC algorithm, or PEM text.
	Key Secret `placeholder:"KEY" alias:"MERCURE_${ROLE}_JWT_KEY" help:"Key that tokens of ${role}s are verified with: a shared secret, or a public key as PEM text. Prefer ${role}-key-file or the variable: other users of the machine can see flags."`
	// File holds the key instead.
	File string `name:"key-file" placeholder:"FILE" help:"File that holds ${role}-key. Line breaks at its end are not part of the key."`
	// Alg is the signature algorithm.
	Alg string `default:"HS256" alias:"MERCURE_${ROLE}_JWT_ALG" help:"Signature algorithm of ${role}-key: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA."`
	// JWKSURL is the URL of a key set.
	JWKSURL string `name:"jwks-url" placeholder:"URL" help:"URL of the JSON Web Key Set that tokens of ${role}s are verified with, in place of ${role}-key: https://…, or a file such as file:///etc/hubd/jwks.json."`
	// JWKSAlgs are the signature algorithms that the keys of the set may be used with; none means all
	// with a public key.
	JWKSAlgs []string `name:"jwks-algs" placeholder:"ALG" shown:"every one with a public key" help:"Signature algorithms that are accepted with ${role}-jwks-url, such as RS256 and ES256. Those with a shared secret, HS256, HS384 and HS512, are for files only."`
}

// Absent reports whether nothing is set that tokens could be verified with.
func (k *Key) Absent() bool { return k.Key.Absent() && k.File == "" && k.JWKSURL == "" }

// Material returns the key, from the file if one is set, which is read each time. The key is absent if
// there is neither.
func (k *Key) Material() (Secret, error) {
	if k.File == "" {
		return k.Key, nil
	}
	f, err := os.Open(k.File)
	if err != nil {
		return Secret{}, fmt.Errorf("%w: %w", errKeyFile, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	switch {
	case err != nil:
		return Secret{}, fmt.Errorf("%w: %w", errKeyFile, err)
	case len(content) > maxKeyFile:
		return Secret{}, fmt.Errorf("%w: %s has more than %s, which no key needs", errKeyFile, k.File, Size(maxKeyFile))
	}
	secret := NewSecret(strings.TrimRight(string(content), "\r\n"))
	if secret.Absent() {
		return Secret{}, fmt.Errorf("%w: %s is empty", errKeyFile, k.File)
	}
	return secret, nil
}

// algorithms returns the signature algorithms that tokens may be signed with; "none" is not one.
func algorithms() []string {
	return []string{
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	}
}
