package config

import (
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the settings. Neither part holds a secret.
type Problem struct {
	// Key is the setting: the name of its flag without dashes.
	Key string
	// Text says what is wrong and what to do.
	Text string
}

// String returns both parts.
func (p Problem) String() string { return p.Key + ": " + p.Text }

// setting returns the setting of the reference page: issuers for those of a block.
func (p Problem) setting() string {
	setting, _, _ := strings.Cut(p.Key, "[")
	return setting
}

// Problems is the error of settings that the hub cannot start with. It is never empty.
type Problems []Problem

// Error returns the problems in one line.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.String()
	}
	return strings.Join(texts, "; ")
}

// Has reports whether one of the problems is about the setting.
func (p Problems) Has(key string) bool {
	return slices.ContainsFunc(p, func(problem Problem) bool { return problem.Key == key })
}

// Err returns the problems as an error, nil if there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
