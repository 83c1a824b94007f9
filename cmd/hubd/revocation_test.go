package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/mercure"
)

const revocations = "/revocations"

func everything() []mercure.Matcher {
	return []mercure.Matcher{{Type: mercure.Exact, Pattern: mercure.Wildcard}}
}

// bearerOf returns a token of the subject for everything but revoking.
func bearerOf(t *testing.T, subject, id string) string {
	t.Helper()
	return "Bearer " + hubtest.Mint(t, auth.MintOptions{
		Dialect: auth.V0, Publish: everything(), Subscribe: everything(), Subject: subject, ID: id, Issued: time.Now(),
	})
}

func revoker(t *testing.T) string {
	t.Helper()
	return "Bearer " + hubtest.Mint(t, auth.MintOptions{Dialect: auth.V0, Revoke: everything()})
}

func revokeAt(t *testing.T, p *hubtest.Process, form string) {
	t.Helper()
	a := hubtest.Do(t, http.MethodPost, p.URL+revocations, form, "Authorization", revoker(t))
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Body, `{"streams":`) {
		t.Fatalf("revoking %s: %d %s", form, a.Status, a.Body)
	}
}

// I3 from end to end: once a revocation is answered, no private update published afterwards reaches the streams of the
// token, whichever way it was named; neither it nor its subject's publish again, and others notice nothing.
func TestInvariantI3RevokedStreamsGetNothing(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--subscriptions")
	for _, test := range []struct{ name, form, topic string }{
		{"jti", "jti=id+of+jti", "https://example.com/jti"},
		{"sub", "sub=subject%2Fsub&seconds=600", "https://example.com/sub"},
		{"topic", "topic=https://example.com/topic", "https://example.com/topic"},
	} {
		t.Run(test.name, func(t *testing.T) {
			victim, other := bearerOf(t, "subject/"+test.name, "id of "+test.name), bearerOf(t, "other of "+test.name, "other")
			live := p.Subscribe(t, "topic="+enc(test.topic), "Authorization", victim)
			resumed := p.Subscribe(t, "last_event_id=earliest&topic="+enc(test.topic), "Authorization", victim)
			followed := test.topic
			if test.name == "topic" {
				followed = "https://example.org/{x}"
			}
			bystander := p.Subscribe(t, "topic="+enc(followed), "Authorization", other)
			form := url.Values{"topic": {test.topic, "https://example.org/x"}, "private": {"on"}}
			form.Set("data", "before")
			p.Publish(t, form)
			live.Expect(t, "before")
			resumed.Expect(t, "before")
			revokeAt(t, p, test.form)
			form.Set("data", "after")
			p.Publish(t, form)
			for _, s := range []*hubtest.Stream{live, resumed} {
				if rest := s.AwaitEnd(t); len(rest) > 0 {
					t.Errorf("after the revocation came %v", rest)
				}
			}
			for bystander.Next(t).Data != "after" {
			}
			want := http.StatusUnauthorized
			if test.name == "topic" {
				want = http.StatusOK // ended, not locked out
			}
			a := hubtest.Do(t, http.MethodPost, p.URL, "topic="+enc("https://example.net/x"), "Authorization", victim)
			if a.Status != want || strings.Contains(a.Body, "revoked") {
				t.Errorf("publishing with the token: %d %s, want %d", a.Status, a.Body, want)
			}
			if want == http.StatusUnauthorized {
				if a := hubtest.Do(t, http.MethodGet, p.URL+"?topic=x", "", "Authorization", victim); a.Status != want {
					t.Errorf("subscribing with the token: %d %s", a.Status, a.Body)
				}
			}
			if a := hubtest.Do(t, http.MethodPost, p.URL, "topic=x", "Authorization", other); a.Status != http.StatusOK {
				t.Errorf("publishing with another token: %d %s", a.Status, a.Body)
			}
		})
	}
	p.AwaitMetric(t, `hubd_disconnects_total{reason="revoked"}`, "6")
	p.AwaitMetric(t, "hubd_revocations", "2")
}

// A subject that is revoked up to now can come back with a token that is newer.
func TestRevocationOfWhatWasIssuedBefore(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir())
	now := time.Now()
	token := func(issued time.Time) string {
		return "Bearer " + hubtest.Mint(t, auth.MintOptions{Dialect: auth.V0, Publish: everything(), Subject: "alice", Issued: issued})
	}
	revokeAt(t, p, "sub=alice&issued_before="+strconv.FormatInt(now.Unix(), 10))
	for issued, want := range map[time.Time]int{now: 401, now.Add(time.Second): 200} {
		if a := hubtest.Do(t, http.MethodPost, p.URL, "topic=x", "Authorization", token(issued)); a.Status != want {
			t.Errorf("a token issued at %s: %d %s, want %d", issued, a.Status, a.Body, want)
		}
	}
}

// Revocations survive the hub: a restart, a crash, and a handover, in which streams carry whose they are with them.
func TestRevocationsOutliveTheHub(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	flags := append(addresses(t), "--drain=0s")
	hub := hubtest.Start(t, dir, flags...)
	alice, bob, carol := bearerOf(t, "alice", "1"), bearerOf(t, "bob", "2"), bearerOf(t, "carol", "3")
	streams := map[string]*hubtest.Stream{}
	for name, token := range map[string]string{"bob": bob, "carol": carol} {
		streams[name] = hub.Subscribe(t, "topic="+enc(topic), "Authorization", token)
	}
	revokeAt(t, hub, "sub=alice")
	publish := func(token string) int {
		return hubtest.Do(t, http.MethodPost, hub.URL, "topic="+enc(topic)+"&data=x&private=on", "Authorization", token).Status
	}
	hub.Kill(t)
	for _, s := range streams {
		s.Close()
	}
	hub = hubtest.Start(t, dir, flags...)
	if status := publish(alice); status != http.StatusUnauthorized {
		t.Errorf("after a crash the token gets %d", status)
	}
	for name, token := range map[string]string{"bob": bob, "carol": carol} {
		streams[name] = hub.Subscribe(t, "topic="+enc(topic), "Authorization", token)
	}
	next := hubtest.Launch(t, dir, flags...)
	next.AwaitServing(t)
	if code := hub.Wait(t); code != 0 {
		t.Fatalf("the hub that handed over ended with code %d", code)
	}
	hub = next
	if status := publish(alice); status != http.StatusUnauthorized {
		t.Errorf("after a handover the token gets %d", status)
	}
	hub.AwaitMetric(t, "mercure_subscribers_connected", "2")
	revokeAt(t, hub, "jti=2")
	if status := publish(carol); status != http.StatusOK {
		t.Fatalf("publishing: %d", status)
	}
	streams["carol"].Expect(t, "x")
	if rest := streams["bob"].AwaitEnd(t); len(rest) > 0 {
		t.Errorf("bob, whose stream moved here, got %v", rest)
	}
	hub.Signal(t, syscall.SIGTERM)
	hub.Wait(t)
}

func TestRefusalsOfRevocations(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--max-revocations=1")
	grant := func(selectors ...string) []string {
		var ms []mercure.Matcher
		for _, selector := range selectors {
			ms = append(ms, mercure.Matcher{Type: mercure.Template, Pattern: selector})
		}
		return []string{"Authorization", "Bearer " + hubtest.Mint(t, auth.MintOptions{Dialect: auth.V0, Revoke: ms})}
	}
	cookie := "mercureAuthorization=" + strings.TrimPrefix(revoker(t), "Bearer ")
	for _, test := range []struct {
		name, method, form string
		headers            []string
		status             int
		line               string
	}{
		{"no token", "POST", "sub=a", nil, 401, "takes a token"},
		{"a token for everything else", "POST", "sub=a", []string{"Authorization", bearerOf(t, "a", "b")}, 403, "does not grant"},
		{"a token for a topic", "POST", "sub=a", grant("https://example.com/{x}"), 403, "does not grant"},
		{"one topic too many", "POST", "topic=https://example.com/1&topic=https://example.org/1", grant("https://example.com/{x}"), 403, "does not grant"},
		{"a topic of the token's", "POST", "topic=https://example.com/1", grant("https://example.com/{x}"), 200, "streams"},
		{"another subject than the token's", "POST", "sub=ab", grant("/.well-known/mercure/revocations/sub/a"), 403, "does not grant"},
		{"an id in place of the subject", "POST", "jti=a", grant("/.well-known/mercure/revocations/sub/a"), 403, "does not grant"},
		{"the token's subject", "POST", "sub=a", grant("/.well-known/mercure/revocations/sub/a"), 200, "streams"},
		{"nothing", "POST", "seconds=5", grant("*"), 400, "nothing to revoke"},
		{"an unknown field", "POST", "sub=a&subject=b", grant("*"), 400, "not a field"},
		{"JSON", "POST", `{"sub":"a"}`, append(grant("*"), "Content-Type", "application/json"), 400, "content type"},
		{"a cookie from nowhere", "POST", "sub=a", []string{"Cookie", cookie}, 403, "Origin"},
		{"a cookie from another site", "POST", "sub=a", []string{"Cookie", cookie, "Origin", "https://evil.example"}, 403, "Origin"},
		{"GET", "GET", "", grant("*"), 405, "POST"},
		{"preflight", "OPTIONS", "", nil, 405, "POST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := hubtest.Do(t, test.method, p.URL+revocations, test.form, test.headers...)
			if a.Status != test.status || !strings.Contains(a.Body, test.line) || strings.Count(a.Body, "\n") != 1 {
				t.Errorf("answer is %d %q, want %d with %q", a.Status, a.Body, test.status, test.line)
			}
		})
	}
	// The table has room for one: "a" is in it.
	a := hubtest.Do(t, http.MethodPost, p.URL+revocations, "jti=b", grant("*")...)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Body, "--max-revocations") {
		t.Errorf("beyond the bound: %d %q", a.Status, a.Body)
	}
}

// A token that publishes too often is told when to come back; others are not held up, and a hub without a rate limits nobody.
func TestPublishRate(t *testing.T) {
	t.Parallel()
	limited, free := hubtest.Start(t, t.TempDir(), "--publish-rate=1", "--publish-burst=3"), hubtest.Start(t, t.TempDir())
	statuses := func(p *hubtest.Process, subject string) (ok, refused int) {
		for i := range 100 {
			// A new token each time: it is the subject that is counted.
			a := hubtest.Do(t, http.MethodPost, p.URL, "topic=x", "Authorization", bearerOf(t, subject, strconv.Itoa(i)))
			switch a.Status {
			case http.StatusOK:
				ok++
			case http.StatusTooManyRequests:
				refused++
				if a.Header.Get("Retry-After") != "1" || !strings.Contains(a.Body, "--publish-rate") {
					t.Fatalf("refusal is %v %q", a.Header, a.Body)
				}
			default:
				t.Fatalf("status %d: %s", a.Status, a.Body)
			}
		}
		return ok, refused
	}
	_, refused := statuses(limited, "alice")
	if refused == 0 {
		t.Error("100 updates at once are not one a second")
	}
	if a := hubtest.Do(t, http.MethodPost, limited.URL, "topic=x", "Authorization", bearerOf(t, "bob", "1")); a.Status != http.StatusOK {
		t.Errorf("another subject gets %d", a.Status)
	}
	limited.AwaitMetric(t, "hubd_publishes_limited_total", strconv.Itoa(refused))
	if ok, _ := statuses(free, "alice"); ok != 100 {
		t.Errorf("without a rate %d of 100 are accepted", ok)
	}
}

// A 1.0 token from the command line revokes, and one of 1.0 is revoked, by id and only if its issuer is the one that is named.
func TestRevocationWithTokensOfTheCommand(t *testing.T) {
	t.Parallel()
	const issuer, audience = "https://issuer.example", "https://hub.example/.well-known/mercure"
	p := hubtest.Start(t, t.TempDir(), "--issuer="+issuer, "--audience="+audience)
	minted := func(flags ...string) string {
		code, stdout, stderr := command(append([]string{"token", "--issuer=" + issuer, "--audience=" + audience, "--key=" + hubtest.Secret}, flags...), nil)
		if code != 0 {
			t.Fatal(stderr)
		}
		return "Bearer " + strings.TrimSpace(stdout)
	}
	bearer := minted("--publish=*", "--subscribe=*", "--id=token/1")
	stream := p.Subscribe(t, "match="+enc(topic), "Authorization", bearer)
	for _, step := range []struct {
		form   string
		status int
	}{
		{"jti=token/1&iss=https://other.example", http.StatusOK},
		{"jti=token/2", http.StatusOK},
		{"jti=token/1&iss=" + issuer, http.StatusUnauthorized},
	} {
		a := hubtest.Do(t, http.MethodPost, p.URL+revocations, step.form, "Authorization", minted("--revoke=*"))
		if a.Status != http.StatusOK {
			t.Fatalf("revoking %s: %d %s", step.form, a.Status, a.Body)
		}
		if a := hubtest.Do(t, http.MethodPost, p.URL, "topic="+enc(topic), "Authorization", bearer); a.Status != step.status {
			t.Errorf("after %s the token gets %d, want %d", step.form, a.Status, step.status)
		}
	}
	if rest := stream.AwaitEnd(t); len(rest) != 2 {
		t.Errorf("the stream got %d updates, want those of before", len(rest))
	}
	if a := hubtest.Do(t, http.MethodPost, p.URL+revocations, "jti=x", "Authorization", minted("--publish=*", "--subscribe=*")); a.Status != http.StatusForbidden {
		t.Errorf("a token for everything but revoking gets %d", a.Status)
	}
}
