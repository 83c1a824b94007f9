package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/mercure"
	"hubd/persistence"
	"hubd/sse"
	"hubd/topics"
)

// busyHub has no credits left.
type busyHub struct{ lateHub }

func (*busyHub) Publish(*mercure.Update) (string, error) { return "", persistence.ErrBusy }

// When credits run out a publisher is told to come back, and not why.
func TestPublishWithoutCreditsIs503(t *testing.T) {
	t.Parallel()
	space, err := topics.NewSpace(topics.Options{BaseURL: "http://127.0.0.1/.well-known/mercure"})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	verifier, err := auth.New(auth.Options{Publisher: auth.Key{Material: []byte(hubtest.Secret)}, Space: space})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	listener, err := sse.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var starting atomic.Bool
	ready := func() error {
		if starting.Load() {
			return errNotReady
		}
		return nil
	}
	s, err := sse.New(sse.Options{Listener: listener, Hub: &busyHub{}, Ready: ready, Anonymous: true, Verifier: verifier, Reserved: space.Reserved})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	url := "http://" + listener.Addr().String() + sse.Path
	token := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
	wantUnavailable(t, hubtest.Do(t, http.MethodPost, url, "topic=a", "Authorization", token), "not stored")
	starting.Store(true)
	wantUnavailable(t, hubtest.Do(t, http.MethodPost, url, "topic=a", "Authorization", token), "not ready")
	wantUnavailable(t, hubtest.Do(t, http.MethodGet, url+"?topic=a", ""), "not ready")

	// The store may change hands between the look at readiness and the next step.
	starting.Store(false)
	wantUnavailable(t, hubtest.Do(t, http.MethodGet, url+"?topic=a", ""), "not ready")
}

// A token that cannot be verified now may be valid: 503, not the 401 that makes a client throw it away.
func TestTokenWithoutKeysIs503(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--publisher-key=", "--anonymous", "--publisher-jwks-url=http://127.0.0.1:1/jwks")
	token, err := auth.Mint(auth.MintOptions{Dialect: auth.V0, Key: newPair(t).key, Publish: []mercure.Matcher{{Type: mercure.Template, Pattern: "*"}}})
	if err != nil {
		t.Fatal(err)
	}
	wantUnavailable(t, hubtest.Do(t, http.MethodPost, p.URL, "topic=a", "Authorization", "Bearer "+token), "keys")
}

func wantUnavailable(t *testing.T, a hubtest.Answer, line string) {
	t.Helper()
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Body, line) {
		t.Errorf("answer is %d %q, Retry-After %q; want 503 with %q", a.Status, a.Body, a.Header.Get("Retry-After"), line)
	}
}
