package auth

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxSetKeys bounds the keys of a set.
	maxSetKeys = 100
	// maxTries bounds the signatures that are checked for one token without "kid", which anybody can send.
	maxTries = 8
	// maxRSABits keeps a key from making every check slow.
	maxRSABits = 16384
)

// errUnknownKey is returned for a token whose key the set does not have, though a newer set may.
var errUnknownKey = errors.New(`no trusted key has the token's "kid"`)

// jwks is a key set that has been read (RFC 7517, section 5). It is immutable.
type jwks struct {
	digest [sha256.Size]byte // of the document
	keys   []setKey
	// used and skipped count the keys of the document that verify signatures and those that do not.
	used, skipped int
}

// setKey is a key of a set for one algorithm; a key that fits several is there for each of them.
type setKey struct {
	id string // "kid", empty if it has none
	verificationKey
}

// readJWKS reads a key set. Keys that are not understood, or are for another use, are left out, as
// section 5 asks; an issuer may add them for others. Errors do not quote the document.
func readJWKS(body []byte) (*jwks, error) {
	members, err := readObject(body)
	if err != nil {
		return nil, fmt.Errorf("the key set is %w", err)
	}
	entries, err := readArray(members["keys"])
	if err != nil {
		return nil, fmt.Errorf(`"keys" of the key set is %w`, err)
	}
	if len(entries) > maxSetKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxSetKeys)
	}
	set := &jwks{digest: sha256.Sum256(body)}
	for _, entry := range entries {
		keys := readJWK(entry)
		if len(keys) > 0 {
			set.used++
		} else {
			set.skipped++
		}
		set.keys = append(set.keys, keys...)
	}
	return set, nil
}

// readJWK returns what the key verifies: nothing if it is not for signatures or cannot be used.
func readJWK(data json.RawMessage) []setKey {
	var m jwkset.JWKMarshal
	if json.Unmarshal(data, &m) != nil {
		return nil
	}
	// The set is trusted because of where it is. Certificates say nothing more, and one that Go does
	// not read would cost the key.
	m.X5C, m.X5T, m.X5TS256, m.X5U = nil, "", "", ""
	if m.USE != "" && m.USE != jwkset.UseSig || len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return nil
	}
	// Of a private key, which should not be there, only the public half is read.
	options := jwkset.JWKMarshalOptions{Private: m.KTY == jwkset.KtyOct}
	key, err := jwkset.NewJWKFromMarshal(m, options, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil
	}
	var keys []setKey
	for _, algorithm := range Algorithms() {
		method := jwt.GetSigningMethod(algorithm)
		if (m.ALG == "" || m.ALG.String() == algorithm) && fits(method, key.Key()) {
			keys = append(keys, setKey{m.KID, verificationKey{algorithm: algorithm, method: method, material: key.Key()}})
		}
	}
	return keys
}

// fits tells whether the material is of the kind that the method takes. A secret fits HMAC alone, and
// nothing else fits HMAC, or whoever has a public key could sign (RFC 8725, section 2.1).
func fits(method jwt.SigningMethod, material crypto.PublicKey) bool {
	secret, isSecret := material.([]byte)
	if _, isHMAC := method.(*jwt.SigningMethodHMAC); isSecret || isHMAC {
		return isSecret && isHMAC && len(secret) > 0
	}
	if key, ok := material.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
		return false
	}
	return mismatch(method, material) == ""
}

// verify checks the signature with the keys that "kid" names. It is a hint ("Token Validation"): a token
// without one may be by any key, and keys without one are tried if no other is named. The error is
// errUnknownKey if the set has no key of that name.
func (s *jwks) verify(j *jws) error {
	wanted := j.header.keyID
	known := wanted == "" || slices.ContainsFunc(s.keys, func(k setKey) bool { return k.id == wanted })
	tries := 0
	for _, k := range s.keys {
		chosen := wanted == "" || known && k.id == wanted || !known && k.id == ""
		if !chosen || k.algorithm != j.header.algorithm || tries == maxTries {
			continue
		}
		tries++
		if k.signed(j.text, j.signature) {
			return nil
		}
	}
	switch {
	case !known:
		return errUnknownKey
	case tries == 0:
		return errors.New(`no key of the set fits "alg"`)
	}
	return errSignature
}
