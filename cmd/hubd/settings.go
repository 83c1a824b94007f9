package main

import (
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
			err = key.Validate()
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
