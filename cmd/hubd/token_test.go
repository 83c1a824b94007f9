package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubd/auth"
	"hubd/mercure"
	"hubd/topics"
)

const (
	tokenIssuer   = "https://issuer.example"
	tokenAudience = "https://example.com/.well-known/mercure"
)

// minted runs hubd token, which has to succeed, and returns what a hub grants the token.
func minted(t *testing.T, key auth.Key, args ...string) *auth.Grant {
	t.Helper()
	code, stdout, stderr := command(append([]string{"token"}, args...), nil)
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	token, ok := strings.CutSuffix(stdout, "\n")
	if !ok || strings.ContainsAny(token, " \n") {
		t.Fatalf("stdout is %q, want a token in one line", stdout)
	}
	space, err := topics.NewSpace(topics.Options{BaseURL: tokenAudience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(space.Close)
	verifier, err := auth.New(auth.Options{Publisher: key, Issuer: tokenIssuer, Audience: tokenAudience, Space: space})
	if err != nil {
		t.Fatal(err)
	}
	grant, err := verifier.Verify(auth.RolePublisher, token, "")
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

func TestTokenGrantsWhatTheFlagsSay(t *testing.T) {
	t.Parallel()
	key := auth.Key{Material: []byte(secret)}
	v1 := []string{"--key=" + secret, "--issuer=" + tokenIssuer, "--audience=" + tokenAudience}
	v0 := []string{"--key=" + secret, "--dialect=0.x"}
	const book, template = "https://example.com/books/1", "https://example.com/books/{id}"
	tests := map[string]struct {
		base, args          []string
		dialect             auth.Protocol
		publish, notPublish string
		subscribe           string
	}{
		"1.0 exact":             {v1, []string{"--publish=" + book}, auth.V1, book, "https://example.com/books/2", ""},
		"1.0 exact by name":     {v1, []string{"--publish=exact=" + book}, auth.V1, book, "exact=" + book, ""},
		"1.0 pattern":           {v1, []string{"--publish=urlpattern=https://example.com/books/:id"}, auth.V1, book, "https://example.com/users/1", ""},
		"1.0 takes no template": {v1, []string{"--publish=" + template}, auth.V1, template, book, ""},
		"1.0 all":               {v1, []string{"--publish=*"}, auth.V1, book, "", ""},
		"1.0 both":              {v1, []string{"--publish=urn:a", "--subscribe=urn:b"}, auth.V1, "urn:a", "urn:b", "urn:b"},
		"1.0 several":           {v1, []string{"--subscribe=urn:a", "--subscribe=urn:b"}, auth.V1, "", "urn:b", "urn:b"},
		"0.x template":          {v0, []string{"--publish=" + template}, auth.V0, book, "https://example.com/users/1", ""},
		"0.x pattern by name":   {v0, []string{"--publish=urlpattern=https://example.com/books/:id"}, auth.V0, book, "", ""},
		"0.x exact by name":     {v0, []string{"--publish=exact=" + template}, auth.V0, template, book, ""},
		"commas separate none":  {v0, []string{"--publish=https://example.com/{a,b}"}, auth.V0, "https://example.com/1,2", "b}", ""},
		"the name of a type":    {v0, []string{"--publish=exact"}, auth.V0, "exact", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant := minted(t, key, append(test.args, test.base...)...)
			if grant.Dialect != test.dialect {
				t.Errorf("dialect is %v, want %v", grant.Dialect, test.dialect)
			}
			if test.publish != "" && !grant.Publish.Match(test.publish) || test.notPublish != "" && grant.Publish.Match(test.notPublish) {
				t.Errorf("publish: %s and not %s is not what was granted", test.publish, test.notPublish)
			}
			if got := grant.Subscribe.Match(test.subscribe); got != (test.subscribe != "") {
				t.Errorf("subscribe %s: %v", test.subscribe, got)
			}
		})
	}
}

func TestTokenCarriesIdentityPayloadAndExpiry(t *testing.T) {
	t.Parallel()
	key := auth.Key{Material: []byte(secret)}
	before := time.Now().Truncate(time.Second)
	grant := minted(t, key, "--key="+secret, "--issuer="+tokenIssuer, "--audience="+tokenAudience,
		"--subject=alice", "--expires=24h", "--subscribe=*", `--payload={"n": 1}`)
	if grant.Subject != "alice" || grant.Issuer != tokenIssuer || grant.ID == "" {
		t.Errorf("subject %q, issuer %q, id %q", grant.Subject, grant.Issuer, grant.ID)
	}
	if got := string(grant.Payload(mercure.Matcher{Pattern: "x"})); got != `{"n":1}` {
		t.Errorf("payload is %s", got)
	}
	if early, late := before.Add(24*time.Hour), time.Now().Add(24*time.Hour); grant.Expires.Before(early) || grant.Expires.After(late) {
		t.Errorf("expires %v, want between %v and %v", grant.Expires, early, late)
	}
	if grant := minted(t, key, "--key="+secret, "--dialect=0.x", "--expires=0", "--payload=7"); !grant.Expires.IsZero() {
		t.Errorf("expires %v, want never", grant.Expires)
	}
}

// The hub has the public key, and whoever mints has the private one in a file.
func TestTokenIsSignedWithPrivateKeyFile(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "private.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if der, err = x509.MarshalPKIXPublicKey(public); err != nil {
		t.Fatal(err)
	}
	key := auth.Key{Material: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), Algorithm: "EdDSA"}
	minted(t, key, "--key-file="+file, "--alg=EdDSA", "--dialect=0.x", "--publish=*")
}

// Nothing is printed that a hub would refuse, and no message shows the key.
func TestTokenRefusesWhatNoHubAccepts(t *testing.T) {
	t.Parallel()
	v1 := []string{"--key=" + secret, "--issuer=i", "--audience=a"}
	tests := map[string]struct {
		args   []string
		stderr string
	}{
		"no key":                {[]string{"--dialect=0.x"}, "there is no key to sign with; give --key-file or --key"},
		"no key file":           {[]string{"--dialect=0.x", "--key-file=/nowhere/key"}, "/nowhere/key"},
		"no issuer":             {[]string{"--key=" + secret, "--audience=a"}, "--issuer is missing"},
		"no audience":           {[]string{"--key=" + secret, "--issuer=i"}, "--audience is missing"},
		"no expiry":             {append(v1, "--expires=0"), "--expires 0 is for 0.x"},
		"an expiry in the past": {append(v1, "--expires=-1s"), "--expires -1s is in the past"},
		"an expiry too near":    {append(v1, "--expires=1ns"), "no hub would accept the token"},
		"a dialect unknown":     {append(v1, "--dialect=2.0"), `--dialect "2.0" is neither`},
		"both dialects":         {append(v1, "--dialect=both"), `--dialect "both" is neither`},
		"a broken pattern":      {append(v1, "--publish=urlpattern=https://example.com/((("), "no hub would accept the token"},
		"a template in 1.0":     {append(v1, "--publish=template=/{a}"), "1.0 has no URI templates"},
		"an empty selector":     {append(v1, "--publish="), "a selector is empty"},
		"a payload of no JSON":  {append(v1, "--subscribe=*", "--payload={"), "the payload is not JSON"},
		"PEM as secret":         {[]string{"--dialect=0.x", "--key=-----BEGIN PRIVATE KEY-----"}, "HS256 takes a secret, this is PEM text"},
		"a secret as PEM":       {append(v1, "--alg=ES256"), "ES256 takes a key as PEM text"},
		"an algorithm unknown":  {append(v1, "--alg=none"), `"none" is not one of`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := command(append([]string{"token"}, test.args...), nil)
			if code != 2 || stdout != "" || !strings.Contains(stderr, test.stderr) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, stdout %q, stderr %q; want 2, nothing, one line with %q", code, stdout, stderr, test.stderr)
			}
			if strings.Contains(stderr, secret) {
				t.Errorf("the output shows the key: %q", stderr)
			}
		})
	}
}

func TestTokenNotesWeakKey(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := command([]string{"token", "--dialect=0.x", "--key=short"}, nil)
	if code != 0 || stdout == "" || !strings.HasPrefix(stderr, "hubd: note: key: the secret has 5 bytes") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}
