package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrKeySet is wrapped by every error about a key set that cannot be used as it is configured.
var ErrKeySet = errors.New("unusable key set")

// KeySet says where a JSON Web Key Set (RFC 7517, section 5) is kept and what its keys may verify.
type KeySet struct {
	// URL is where the set is: https, file, or http. It comes from the operator and never from a
	// token. Plain http is for addresses of this machine only, unless AllowHTTP. Empty means that
	// there is no set.
	URL string
	// Algorithms are the signature algorithms that are accepted, of those in Algorithms(). Each key
	// verifies only what also fits its type and its own "alg". Empty means every algorithm with a public
	// key. Those with a shared secret are for files only: a secret is not fetched over the network.
	Algorithms []string
	// AllowHTTP allows plain http to other machines. Whoever can change the answer on its way chooses
	// the keys.
	AllowHTTP bool
	// AllowPrivate allows a name that looks public to stand for a private address. Addresses, names without a dot
	// and names such as keys.internal may be private anyway.
	AllowPrivate bool
}

// Absent tells whether there is no set.
func (s KeySet) Absent() bool { return s.URL == "" }

// Validate reports what is wrong with the configuration of the set, without looking at the set; there
// is nothing wrong with an absent one. Errors wrap ErrKeySet.
func (s KeySet) Validate() error {
	if s.Absent() {
		return nil
	}
	l, err := newLocation(s)
	if err != nil {
		return err
	}
	for _, algorithm := range s.Algorithms {
		switch {
		case !slices.Contains(Algorithms(), algorithm):
			return fmt.Errorf("%w: algorithm %q is not one of %s", ErrKeySet, algorithm, strings.Join(Algorithms(), ", "))
		case isShared(algorithm) && !l.isFile():
			return fmt.Errorf("%w: %s takes a shared secret, which is not fetched over the network; keep that set in a file", ErrKeySet, algorithm)
		}
	}
	return nil
}

// Check is Validate and a look at the set itself if it is in a file: whether it can be read and holds a
// key that the algorithms allow. It does not use the network. Errors wrap ErrKeySet.
func (s KeySet) Check() error {
	if err := s.Validate(); err != nil || s.Absent() {
		return err
	}
	l, err := newLocation(s)
	if err != nil || !l.isFile() {
		return err
	}
	d, err := l.fetch(context.Background())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeySet, err)
	}
	set, err := readJWKS(d.body)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrKeySet, l, err)
	}
	if allowed := s.algorithms(); !slices.ContainsFunc(set.keys, func(k setKey) bool { return slices.Contains(allowed, k.algorithm) }) {
		return fmt.Errorf("%w: %s has no key for %s", ErrKeySet, l, strings.Join(allowed, ", "))
	}
	return nil
}

// algorithms returns the algorithms that are accepted.
func (s KeySet) algorithms() []string {
	if len(s.Algorithms) > 0 {
		return slices.Clone(s.Algorithms)
	}
	return slices.DeleteFunc(Algorithms(), isShared)
}

// isShared tells whether the algorithm verifies with the secret that it signs with.
func isShared(algorithm string) bool { return strings.HasPrefix(algorithm, "HS") }
