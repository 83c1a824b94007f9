package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Identity is whom a token names, as far as it says. It is immutable and is shared by all that goes on in the
// name of one token. Its fields are those of actors.Identity, so that a pointer to one is a pointer to the other.
type Identity struct {
	// Issuer, Subject and ID are the claims "iss", "sub" and "jti", empty where the token has none. Those of a 0.x
	// token say what its issuer chose to write: the hub has checked the signature, but trusts no particular issuer.
	Issuer, Subject, ID string
	// Issued is "iat", the zero time where the token has none.
	Issued time.Time
}

// Bearer tells those apart whom a token was made for: by issuer and subject, by issuer and id where there is no
// subject, and by the token itself where there is neither. It is a digest, from which nothing of that can be read.
type Bearer [16]byte

func newBearer(i *Identity, token string) Bearer {
	kind, value := byte('s'), i.Subject
	switch {
	case i.Subject != "":
	case i.ID != "":
		kind, value = 'i', i.ID
	default:
		kind, value = 't', token
	}
	b := binary.BigEndian.AppendUint64([]byte{kind}, uint64(len(i.Issuer)))
	b = append(append(b, i.Issuer...), value...)
	sum := sha256.Sum256(b)
	return Bearer(sum[:len(Bearer{})])
}
