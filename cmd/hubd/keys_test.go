package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hubd/auth"
	"hubd/config"
	"hubd/internal/hubtest"
	"hubd/mercure"
	"hubd/topics"
)

// pair is a private key, and its public half as a JWK.
type pair struct {
	key auth.Key
	jwk map[string]string
}

func newPair(t *testing.T) pair {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		key: auth.Key{Material: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), Algorithm: "EdDSA"},
		jwk: map[string]string{"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": base64.RawURLEncoding.EncodeToString(public)},
	}
}

// setOf returns a key set of the pairs.
func setOf(t *testing.T, pairs ...pair) []byte {
	t.Helper()
	var keys []map[string]string
	for _, p := range pairs {
		keys = append(keys, p.jwk)
	}
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// serveSet returns the URL of a key set of the pairs.
func serveSet(t *testing.T, pairs ...pair) string {
	t.Helper()
	body := setOf(t, pairs...)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	t.Cleanup(server.Close)
	return server.URL + "/jwks.json"
}

// Key sets by URL, for 0.x tokens and for 1.0 tokens of two issuers, in a hub that is
// configured as an operator does it.
func TestKeySets(t *testing.T) {
	t.Parallel()
	own, other := newPair(t), newPair(t)
	dir := t.TempDir()
	settings := filepath.Join(dir, "hubd.yaml")
	yaml := fmt.Sprintf("issuer: https://own.example\naudience: https://hub.example\nissuers:\n- issuer: https://other.example\n  publisher-jwks-url: %s\n  publisher-jwks-algs: [EdDSA]\n", serveSet(t, other))
	if err := os.WriteFile(settings, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	hub := hubtest.Start(t, dir, "--config="+settings, "--publisher-key=", "--publisher-jwks-url="+serveSet(t, own), "--anonymous")
	hub.AwaitMetric(t, `hubd_jwks_fetches_total{result="success"}`, "2")
	hub.AwaitMetric(t, `hubd_jwks_fetches_total{result="failure"}`, "0")

	all := []mercure.Matcher{{Type: mercure.Exact, Pattern: mercure.Wildcard}}
	for _, test := range []struct {
		name    string
		dialect auth.Protocol
		issuer  string
		key     auth.Key
		status  int
	}{
		{"0.x", auth.V0, "", own.key, 200},
		{"0.x by the key of an issuer", auth.V0, "", other.key, 401},
		{"1.0", auth.V1, "https://own.example", own.key, 200},
		{"1.0 of the other issuer", auth.V1, "https://other.example", other.key, 200},
		{"1.0 by the key of the other issuer", auth.V1, "https://own.example", other.key, 401},
		{"1.0 of the other issuer by the hub's key", auth.V1, "https://other.example", own.key, 401},
		{"1.0 of a stranger", auth.V1, "https://stranger.example", other.key, 401},
	} {
		token, err := auth.Mint(auth.MintOptions{
			Dialect: test.dialect, Issuer: test.issuer, Audience: "https://hub.example", Key: test.key, Publish: all,
			Issued: time.Now(), Expires: time.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		a := hubtest.Do(t, http.MethodPost, hub.URL, "topic=a", "Authorization", "Bearer "+token)
		if a.Status != test.status {
			t.Errorf("%s: status %d: %s", test.name, a.Status, a.Body)
		}
	}
	hub.Stop(t)
}

// What is wrong with a key set is found before the hub starts, as far as no network is needed.
func TestCheckOfKeySets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, encrypting := filepath.Join(dir, "good.json"), filepath.Join(dir, "encrypting.json")
	p := newPair(t)
	if err := os.WriteFile(good, setOf(t, p), 0o600); err != nil {
		t.Fatal(err)
	}
	p.jwk["use"] = "enc"
	if err := os.WriteFile(encrypting, setOf(t, p), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "hubd.yaml")
	if err := os.WriteFile(settings, []byte("issuers:\n- issuer: a\n  subscriber-jwks-url: http://issuer.example/jwks\n- issuer: b\n  publisher-key: short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"a good file":       {[]string{"--publisher-jwks-url=file://" + good}, 0, ""},
		"a URL":             {[]string{"--publisher-jwks-url=https://issuer.invalid/jwks"}, 0, ""},
		"a file not there":  {[]string{"--publisher-jwks-url=file://" + dir + "/absent.json"}, 2, "publisher-jwks-url: unusable key set: fetching file://" + dir + "/absent.json: "},
		"no key in it":      {[]string{"--publisher-jwks-url=file://" + encrypting}, 2, "publisher-jwks-url: unusable key set: file://" + encrypting + " has no key for RS256"},
		"no key for it":     {[]string{"--publisher-jwks-url=file://" + good, "--publisher-jwks-algs=RS256"}, 2, "has no key for RS256"},
		"plain http":        {[]string{"--publisher-jwks-url=http://issuer.example/jwks"}, 2, "publisher-jwks-url: unusable key set: plain http"},
		"allowed http":      {[]string{"--publisher-jwks-url=http://issuer.example/jwks", "--jwks-allow-http"}, 0, ""},
		"a secret by URL":   {[]string{"--publisher-jwks-url=https://issuer.example/jwks", "--publisher-jwks-algs=HS256"}, 2, "shared secret"},
		"of an issuer":      {[]string{"--publisher-jwks-url=file://" + good, "--config=" + settings}, 2, "issuers[1].subscriber-jwks-url: unusable key set: plain http"},
		"the weak key of b": {[]string{"--publisher-jwks-url=file://" + good, "--config=" + settings, "--jwks-allow-http"}, 0, "hubd: note: issuers[2].publisher-key: the secret has 5 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := command(append([]string{"check", "--store=memory://", "--anonymous"}, test.args...), nil)
			if code != test.code || !strings.Contains(stderr, test.stderr) || test.stderr == "" && stderr != "" {
				t.Errorf("exit code %d, stderr %q; want %d, %q", code, stderr, test.code, test.stderr)
			}
		})
	}
}

// What a development hub prints works on it: the token, and the line that mints others.
func TestGreetingOfADevelopmentHub(t *testing.T) {
	t.Parallel()
	for protocol, parameter := range map[string]string{"both": "topic=", "0.x": "topic=", "1.0": "match="} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			cfg, err := config.Load([]string{"--dev", "--protocol=" + protocol}, nil)
			if err != nil {
				t.Fatal(err)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			d := &daemon{cfg: cfg, listener: listener.(*net.TCPListener)}
			if d.space, err = topics.NewSpace(topics.Options{BaseURL: d.url()}); err != nil {
				t.Fatal(err)
			}
			defer d.space.Close()
			minter, err := d.tokens()
			if err != nil {
				t.Fatal(err)
			}
			defer d.verifier.Close()
			var greeting bytes.Buffer
			if err := d.greet(&greeting, minter); err != nil {
				t.Fatal(err)
			}
			text := greeting.String()
			if !strings.Contains(text, d.url()+"?"+parameter) {
				t.Errorf("no %q in:\n%s", parameter, text)
			}
			tokens := []string{regexp.MustCompile(`Bearer (\S+)'`).FindStringSubmatch(text)[1]}
			line := regexp.MustCompile(`\S+ (token --key.*)`).FindStringSubmatch(text)[1]
			code, stdout, stderr := command(strings.Fields(strings.ReplaceAll(line, "'", "")), nil)
			if code != 0 || stderr != "" {
				t.Fatalf("%s: exit code %d, stderr %q", line, code, stderr)
			}
			tokens = append(tokens, strings.TrimSpace(stdout))
			for _, token := range tokens {
				grant, err := d.verifier.Verify(auth.RolePublisher, token, d.url())
				if err != nil || !grant.Publish.Match("https://example.com/books/1") {
					t.Errorf("a token of the greeting: %+v, %v", grant, err)
				}
			}
		})
	}
}
