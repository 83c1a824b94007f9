package auth

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// "Token Validation": the allowlist of algorithms is explicit, and includes at least EdDSA, ES256 and RS256.
func TestAlgorithmsOfKeySets(t *testing.T) {
	t.Parallel()
	all := KeySet{URL: "https://issuer.example"}.algorithms()
	for _, algorithm := range Algorithms() {
		if slices.Contains(all, algorithm) == strings.HasPrefix(algorithm, "HS") {
			t.Errorf("%s is wrong in %q", algorithm, all)
		}
	}
	const file, web = "file:///jwks.json", "https://issuer.example"
	for _, good := range []KeySet{
		{URL: web, Algorithms: []string{"RS256", "EdDSA"}}, {URL: file, Algorithms: []string{"HS256"}}, {Algorithms: []string{"nonsense"}},
	} {
		if err := good.Validate(); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, c := range []struct {
		set KeySet
		why string
	}{
		{KeySet{URL: web, Algorithms: []string{"RS256", "none"}}, `"none" is not one of`},
		{KeySet{URL: web, Algorithms: []string{""}}, `"" is not one of`},
		{KeySet{URL: web, Algorithms: []string{"rs256"}}, `"rs256" is not one of`},
		{KeySet{URL: web, Algorithms: []string{"HS256"}}, "shared secret, which is not fetched over the network"},
		{KeySet{URL: "http://127.0.0.1", Algorithms: []string{"HS512"}}, "shared secret"},
	} {
		if err := c.set.Validate(); !errors.Is(err, ErrKeySet) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v: got %v, want %q", c.set, err, c.why)
		}
	}
}

func TestCheckLooksAtFiles(t *testing.T) {
	t.Parallel()
	key, _ := newPair(t, "ES256")
	path := filepath.Join(t.TempDir(), "jwks.json")
	check := func(algorithms ...string) error { return KeySet{URL: "file://" + path, Algorithms: algorithms}.Check() }
	for _, step := range []struct {
		content    []byte
		algorithms []string
		why        string
	}{
		{nil, nil, "no such file"},
		{[]byte("{"), nil, "not a JSON object"},
		{setOf(t), nil, "has no key for"},
		{setOf(t, jwk(t, key, "1", object{"use": "enc"})), nil, "has no key for"},
		{setOf(t, jwk(t, key, "1")), []string{"RS256", "EdDSA"}, "has no key for RS256, EdDSA"},
		{setOf(t, jwk(t, newSecret(t), "1")), nil, "has no key for"},
		{setOf(t, jwk(t, newSecret(t), "1")), []string{"HS256"}, ""},
		{setOf(t, jwk(t, key, "1")), nil, ""},
	} {
		if step.content != nil {
			if err := os.WriteFile(path, step.content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := check(step.algorithms...)
		if (err == nil) != (step.why == "") || err != nil && (!errors.Is(err, ErrKeySet) || !strings.Contains(err.Error(), step.why)) {
			t.Errorf("%s: got %v, want %q", step.content, err, step.why)
		}
	}
	if err := (KeySet{URL: "https://issuer.invalid/jwks"}).Check(); err != nil {
		t.Errorf("a set on the network was looked at: %v", err)
	}
	if err := (KeySet{URL: "file:jwks"}).Check(); !errors.Is(err, ErrKeySet) {
		t.Errorf("got %v", err)
	}
	if err := (KeySet{}).Check(); err != nil {
		t.Errorf("no set: %v", err)
	}
}
