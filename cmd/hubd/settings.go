package main

import (
	"hubd/config"
)

// complete finishes the configuration that a command line brought and adds what only other rooms can
// tell: whether keys and key sets can be used, and whether keys are weak. The error is config.Problems.
func complete(cfg *config.Config, sources *config.Sources) error {
	problems := sources.Finish(cfg)
	check := func(prefix string, key *config.Key) {
		problems = append(problems, checkKey(cfg, prefix, key, problems)...)
		problems = append(problems, checkKeySet(cfg, prefix, key, problems)...)
	}
	check("publisher-", &cfg.Publisher)
	check("subscriber-", &cfg.Subscriber)
	problems = append(problems, checkCertificate(cfg, problems)...)
	for i := range cfg.Issuers {
		check(config.IssuerPrefix(i)+"publisher-", &cfg.Issuers[i].Publisher)
		check(config.IssuerPrefix(i)+"subscriber-", &cfg.Issuers[i].Subscriber)
	}
	if (cfg.Issuer != "" || len(cfg.Issuers) > 0) && cfg.Audience == "" && len(cfg.PublicURLs) == 0 && !cfg.Dev {
		cfg.Notes = append(cfg.Notes, "audience: 1.0 tokens have to name the URL of the listen address; set public-url or audience to what clients use")
	}
	return problems.Err()
}

// checkKey returns what is wrong with a key, unless it is among the known problems, and notes a weak one.
// The names of the key's settings begin with the prefix.
func checkKey(cfg *config.Config, prefix string, key *config.Key, known config.Problems) config.Problems {
	name := prefix + "key"
	if key.File != "" {
		name = prefix + "key-file"
	}
	if known.Has(name) || known.Has(prefix+"alg") {
		return nil
	}
	k, err := verificationKey(key)
	if err == nil {
		err = k.Validate()
	}
	if err != nil {
		return config.Problems{{Key: name, Text: err.Error()}}
	}
	if weakness := k.Weakness(); weakness != "" && !k.Absent() {
		cfg.Notes = append(cfg.Notes, name+": "+weakness)
	}
	return nil
}

// checkKeySet is checkKey for a key set. One in a file is read; the network is not used.
func checkKeySet(cfg *config.Config, prefix string, key *config.Key, known config.Problems) config.Problems {
	name := prefix + "jwks-url"
	if known.Has(name) || known.Has(prefix+"jwks-algs") {
		return nil
	}
	if err := keySet(cfg, key).Check(); err != nil {
		return config.Problems{{Key: name, Text: err.Error()}}
	}
	return nil
}
