package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestIssuersOfTheFile(t *testing.T) {
	t.Parallel()
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, []string{"--config", writeFile(t, `
protocol: 1.0
issuers:
  - issuer: https://a.example
    publisher-jwks-url: https://a.example/jwks
    publisher-jwks-algs: &algs [RS256, ES256]
    subscriber-jwks-url: https://a.example/jwks
    subscriber-jwks-algs: RS256,EdDSA
    subscriber-key:
  - &b
    issuer: urn:example:b
    publisher-key-file: `+keyFile+`
    publisher-alg: HS512
    subscriber-jwks-url: file:///jwks
    subscriber-jwks-algs: *algs
  - {issuer: c, publisher-key: 12345}
`)}, nil)
	if len(c.Issuers) != 3 {
		t.Fatalf("there are %d issuers", len(c.Issuers))
	}
	first, second, third := c.Issuers[0], c.Issuers[1], c.Issuers[2]
	some := []string{"RS256", "ES256"}
	if first.Issuer != "https://a.example" || first.Publisher.JWKSURL != "https://a.example/jwks" || first.Publisher.Alg != "HS256" ||
		!slices.Equal(first.Publisher.JWKSAlgs, some) || !slices.Equal(first.Subscriber.JWKSAlgs, []string{"RS256", "EdDSA"}) || !first.Subscriber.Key.Absent() {
		t.Errorf("the first issuer is %+v", first)
	}
	key, err := second.Publisher.Material()
	if second.Issuer != "urn:example:b" || err != nil || key.Reveal() != "from a file" || second.Publisher.Alg != "HS512" || !slices.Equal(second.Subscriber.JWKSAlgs, some) {
		t.Errorf("the second issuer is %+v", second)
	}
	if third.Issuer != "c" || third.Publisher.Key.Reveal() != "12345" || !third.Subscriber.Absent() {
		t.Errorf("the third issuer is %+v", third)
	}
}

func TestFilesWithoutIssuers(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"issuers:", "issuers: []", "issuers: ~"} {
		if c := load(t, []string{"--config", writeFile(t, content)}, keyed()); len(c.Issuers) != 0 {
			t.Errorf("%q makes %d issuers", content, len(c.Issuers))
		}
	}
}

// Each mistake in a block is named with the block, which counts from 1, and with its line.
func TestIssuersThatAreWrong(t *testing.T) {
	t.Parallel()
	const good = "\n- {issuer: a, publisher-key: x}"
	many := strings.Repeat("\n- {}", maxIssuers+1)
	for name, test := range map[string]struct{ content, key, words string }{
		"no list":             {"issuers: a", "issuers", "line 1: takes a list of at most 100 blocks"},
		"a block":             {"issuers: {issuer: a}", "issuers", "takes a list"},
		"too many":            {"issuers:" + many, "issuers", "takes a list"},
		"no block":            {"issuers:\n- a", "issuers", "line 2: is not a block of keys"},
		"misspelt key":        {"issuers:" + good + "\n- issuer: b\n  publisher-key: x\n  publisher-algo: ES256", "issuers[2].publisher-algo", "line 5: no setting of an issuer has this key; did you mean publisher-alg?"},
		"key of the hub":      {"issuers:\n- {issuer: a, publisher-key: x, audience: y}", "issuers[1].audience", "no setting of an issuer"},
		"issuers of issuers":  {"issuers:\n- {issuer: a, publisher-key: x, issuers: [y]}", "issuers[1].issuers", "no setting of an issuer"},
		"key twice":           {"issuers:\n- issuer: a\n  publisher-key: x\n  issuer: b", "issuers[1].issuer", "is given twice"},
		"list for one":        {"issuers:\n- {issuer: a, publisher-key: x, publisher-alg: [ES256]}", "issuers[1].publisher-alg", "takes one value, not a list"},
		"block for a value":   {"issuers:\n- {issuer: a, publisher-key: x, subscriber-key: {y: z}}", "issuers[1].subscriber-key", "takes a value, not a block"},
		"no issuer":           {"issuers:" + good + "\n- publisher-key: x", "issuers[2].issuer", "is missing"},
		"same issuer":         {"issuers:" + good + good, "issuers[2].issuer", "a is there already"},
		"issuer of the hub":   {"issuer: a\nissuers:" + good, "issuers[1].issuer", "a is there already"},
		"no keys":             {"issuers:\n- issuer: a", "issuers[1].issuer", "has no key"},
		"key and set":         {"issuers:\n- {issuer: a, publisher-key: x, publisher-jwks-url: https://x}", "issuers[1].publisher-jwks-url", "a key is set too"},
		"key and file":        {"issuers:\n- {issuer: a, subscriber-key: x, subscriber-key-file: y}", "issuers[1].subscriber-key-file", "issuers[1].subscriber-key is set too"},
		"file not there":      {"issuers:\n- {issuer: a, subscriber-key-file: /nowhere/y}", "issuers[1].subscriber-key-file", "no such file"},
		"unknown algorithm":   {"issuers:\n- {issuer: a, publisher-key: x, publisher-alg: none}", "issuers[1].publisher-alg", `"none" is not known`},
		"algorithms of a set": {"issuers:\n- {issuer: a, publisher-jwks-url: https://x, publisher-jwks-algs: [RS256, HS1]}", "issuers[1].publisher-jwks-algs", `"HS1" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, []string{"--config", writeFile(t, test.content)}, keyed())
			expect(t, found, test.key, test.words)
			if len(found) != 1 {
				t.Errorf("there are %d problems, want 1: %v", len(found), found)
			}
		})
	}
}

// The keys of issuers make a hub complete that has none of its own.
func TestIssuersAloneAreEnough(t *testing.T) {
	t.Parallel()
	const head = "protocol: 1.0\nissuers:\n- issuer: a\n  publisher-key: x\n"
	load(t, []string{"--config", writeFile(t, head+"- {issuer: b, subscriber-jwks-url: https://b.example}")}, nil)
	load(t, []string{"--config", writeFile(t, head), "--anonymous"}, nil)
	expect(t, problems(t, []string{"--config", writeFile(t, head)}, nil), "subscriber-key", "is missing")
}

func TestProblemsOfIssuersStandTogether(t *testing.T) {
	t.Parallel()
	found := problems(t, []string{"--config", writeFile(t, "issuers:\n- {}\n- {colour: blue, issuer: a, publisher-key: x}\ndrain: soon\ncolour: blue\n")}, keyed("HUBD_PUBLISHER_ALG=none"))
	var keys []string
	for _, p := range found {
		keys = append(keys, p.Key)
	}
	want := []string{"colour", "publisher-alg", "issuers[2].colour", "issuers[1].issuer", "drain"}
	if !slices.Equal(keys, want) {
		t.Errorf("problems with %q, want %q", keys, want)
	}
}

func TestKeysOfIssuersAreSecrets(t *testing.T) {
	t.Parallel()
	pem := "-----BEGIN PRIVATE KEY-----\n" + hush + "\n-----END PRIVATE KEY-----\n"
	c := load(t, []string{"--config", writeFile(t, fmt.Sprintf("issuers:\n- issuer: a\n  publisher-key: %q\n", pem))}, keyed())
	if c.Issuers[0].Publisher.Key.Reveal() != pem {
		t.Error("the key did not keep its bytes")
	}
	hidden(t, "issuer", fmt.Sprintf("%+v %#v", c.Issuers, c))
	for _, content := range []string{
		"issuers:\n- {issuer: a, publisher-key: [" + hush + "]}", "issuers:\n- {issuer: a, publisher-key: {" + hush + ": 1}}",
		"issuers:\n- " + hush, "issuers: " + hush, "issuers:\n- {issuer: a, publisher-kye: " + hush + "}",
		"issuers:\n- {issuer: a, publisher-key: " + hush + ", publisher-key-file: /nowhere}",
	} {
		_, err := Load([]string{"--config", writeFile(t, content)}, keyed())
		var found Problems
		if !errors.As(err, &found) {
			t.Fatalf("%s: %v", content, err)
		}
		hidden(t, "error", err.Error())
	}
}
