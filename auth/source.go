package auth

import (
	"errors"
	"slices"
)

// ErrKeysUnavailable is returned for a token that may be valid, but cannot be verified now, because the
// key set that would tell could not be fetched: 503 with Retry-After. To answer 401 would make the
// client throw away a token that is good.
var ErrKeysUnavailable = errors.New("keys that could verify the token are not available")

var errSignature = errors.New("signature is not by a trusted key")

// keySource holds the keys that tokens of one role and, in 1.0, one issuer may be signed with. The
// token's header may help to choose among them; it must not bring one.
type keySource interface {
	// verify returns nil if one of the keys made the signature, ErrKeysUnavailable if that cannot be
	// told, and otherwise why not. It is safe for concurrent use.
	verify(j *jws) error
}

// verify makes a single key a source: it is the key of every token that names its algorithm.
func (k *verificationKey) verify(j *jws) error {
	switch {
	case j.header.algorithm != k.algorithm:
		return errors.New(`"alg" is not the configured algorithm ` + k.algorithm)
	case !k.signed(j.text, j.signature):
		return errSignature
	}
	return nil
}

// setSource is the keys of a set, as far as the algorithms are allowed.
type setSource struct {
	set        *remoteSet
	algorithms []string
}

// verify asks for a newer set before it calls a key unknown: an issuer may sign with a key as soon as it
// has published it.
func (s *setSource) verify(j *jws) error {
	if !slices.Contains(s.algorithms, j.header.algorithm) {
		return errors.New(`"alg" is not one of the configured algorithms`)
	}
	held := s.set.held.Load()
	if held != nil {
		if err := held.verify(j); !errors.Is(err, errUnknownKey) {
			return err
		}
	}
	newer, err := s.set.newer(held)
	if err != nil {
		return err
	}
	return newer.verify(j)
}
