package main

import (
	"errors"
	"fmt"

	"hubd/auth"
	"hubd/config"
)

// complete finishes the configuration that a command line brought and adds what only other rooms can
// tell: whether the keys can be used, and whether they are weak. The error is config.Problems.
func complete(cfg *config.Config, sources *config.Sources) error {
	problems := sources.Finish(cfg)
	for _, role := range []struct {
		name string
		key  *config.Key
	}{{"publisher", &cfg.Publisher}, {"subscriber", &cfg.Subscriber}} {
		name := role.name + "-key"
		if role.key.File != "" {
			name = role.name + "-key-file"
		}
		if problems.Has(name) || problems.Has(role.name+"-alg") {
			continue
		}
		key, err := verificationKey(role.key)
		if err == nil {
			err = checkKey(key)
		}
		if err != nil {
			problems = append(problems, config.Problem{Key: name, Text: err.Error()})
		} else if weakness := key.Weakness(); weakness != "" && !key.Absent() {
			cfg.Notes = append(cfg.Notes, name+": "+weakness)
		}
	}
	return problems.Err()
}

// verificationKey returns the key of a role as auth takes it, read from its file if it has one. It is
// absent if neither is set.
func verificationKey(key *config.Key) (auth.Key, error) {
	secret, err := key.Material()
	if err != nil {
		return auth.Key{}, fmt.Errorf("read the key: %w", err)
	}
	return auth.Key{Material: []byte(secret.Reveal()), Algorithm: key.Alg}, nil
}

// checkKey reports why a key cannot verify tokens. The options are validated with nothing but the key
// in them, so of the errors that they join only the one about the key is meant.
func checkKey(key auth.Key) error {
	var joined interface{ Unwrap() []error }
	if !errors.As((&auth.Options{Publisher: key}).Validate(), &joined) {
		return nil
	}
	for _, err := range joined.Unwrap() {
		if cause := errors.Unwrap(err); errors.Is(err, auth.ErrKey) && cause != nil {
			return cause
		}
	}
	return nil
}
