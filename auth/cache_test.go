package auth

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return epoch().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// countingSource counts the signatures that were checked, which is how often a token was validated.
type countingSource struct {
	keySource
	checks atomic.Int64
}

func (s *countingSource) verify(j *jws) error {
	s.checks.Add(1)
	return s.keySource.verify(j)
}

// cachingVerifier returns a verifier with a cache, its clock and the counter of its validations.
func cachingVerifier(tb testing.TB, key Key, places int) (*Verifier, *clock, *countingSource) {
	tb.Helper()
	c := &clock{}
	v := newVerifier(tb, key, func(o *Options) { o.CacheTokens, o.Now = places, c.now })
	source := &countingSource{keySource: v.classic[RolePublisher]}
	v.classic = issuerKeys{source, source}
	v.issuers[testIssuer] = v.classic
	return v, c, source
}

func TestCacheSparesValidation(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v, _, source := cachingVerifier(t, key, 100)
	token := sign(t, key, accessHeader(key), accessClaims())

	first := accepted(t, v, RolePublisher, token)
	for range 5 {
		if accepted(t, v, RolePublisher, token) != first {
			t.Error("the grant was made anew")
		}
	}
	if n := source.checks.Load(); n != 1 {
		t.Errorf("%d validations, want 1", n)
	}

	off, _, source := cachingVerifier(t, key, -1)
	accepted(t, off, RolePublisher, token)
	accepted(t, off, RolePublisher, token)
	if n := source.checks.Load(); n != 2 {
		t.Errorf("%d validations without a cache, want 2", n)
	}
}

// "Token Validation": "exp" is enforced on every request, not on the first alone.
func TestCacheNeverServesExpiredToken(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	for name, token := range map[string]string{
		"1.0": sign(t, key, accessHeader(key), accessClaims()),
		"0.x": sign(t, key, classicHeader(key), classicClaims(object{"exp": epoch().Add(time.Minute).Unix()})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, clock, _ := cachingVerifier(t, key, 100)
			accepted(t, v, RolePublisher, token)
			clock.advance(time.Minute - 1)
			accepted(t, v, RolePublisher, token)
			clock.advance(1)
			refused(t, v, RolePublisher, token, "expired")
		})
	}
}

// What one role or one audience was granted is not served to another.
func TestCacheKeepsRolesAndAudiencesApart(t *testing.T) {
	t.Parallel()
	publisher, subscriber := newSecret(t), newSecret(t)
	v := newVerifier(t, publisher, func(o *Options) { o.Subscriber, o.CacheTokens = subscriber, 100 })
	token := sign(t, publisher, accessHeader(publisher), accessClaims())

	accepted(t, v, RolePublisher, token)
	refused(t, v, RoleSubscriber, token, "signature")
	for _, audience := range []string{"https://other.example", strings.Repeat("x", len(testAudience))} {
		if _, err := v.Verify(RolePublisher, token, audience); err == nil {
			t.Errorf("accepted for the audience %q", audience)
		}
	}
	// The parts of the digest cannot run into each other.
	if digest(RolePublisher, 0, "a", []byte("bc")) == digest(RolePublisher, 0, "ab", []byte("c")) {
		t.Error("audience and token are not told apart")
	}
	if digest(RolePublisher, 0, "a", []byte("b")) == digest(RolePublisher, 1, "a", []byte("b")) {
		t.Error("generations are not told apart")
	}
	long := strings.Repeat("x", 5000)
	if digest(RolePublisher, 0, "", []byte(long+"a")) == digest(RolePublisher, 0, "", []byte(long+"b")) {
		t.Error("long tokens are not told apart")
	}
}

func TestCacheRemembersNoInvalidToken(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v, clock, _ := cachingVerifier(t, key, 100)
	early := sign(t, key, accessHeader(key), accessClaims(object{"nbf": epoch().Unix() + 30}))
	refused(t, v, RolePublisher, early, `"nbf"`)
	refused(t, v, RolePublisher, "a.b.c", "")
	if n := len(v.cache.young) + len(v.cache.old); n != 0 {
		t.Errorf("%d tokens remembered, want none", n)
	}
	clock.advance(30 * time.Second)
	accepted(t, v, RolePublisher, early)
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	const places = 10
	v, _, source := cachingVerifier(t, key, places)
	token := func(i int) string {
		return sign(t, key, classicHeader(key), fmt.Sprintf(`{"jti":"%d","mercure":{}}`, i))
	}
	used := token(0)
	for i := range 100 {
		accepted(t, v, RolePublisher, used)
		accepted(t, v, RolePublisher, token(i+1))
		if n := len(v.cache.young) + len(v.cache.old); n > places {
			t.Fatalf("%d tokens remembered, want at most %d", n, places)
		}
	}
	if n := source.checks.Load(); n != 101 {
		t.Errorf("%d validations of 101 tokens: the one in use did not stay", n)
	}
}

// A long token takes the room of several, and one that is longer than the cache none.
func TestCacheWeighsTokens(t *testing.T) {
	t.Parallel()
	c := newGrantCache(8)
	grant := &Grant{}
	held := func(id byte) bool { return c.get(tokenDigest{id}, epoch()) != nil }

	c.put(tokenDigest{1}, grant, 1)
	c.put(tokenDigest{2}, grant, placeBytes)
	c.put(tokenDigest{3}, grant, placeBytes+1)
	if c.used != 4 || !held(1) || !held(2) || !held(3) {
		t.Errorf("%d places used, want 4 by three tokens", c.used)
	}
	c.put(tokenDigest{3}, grant, placeBytes+1)
	if c.used != 4 {
		t.Errorf("%d places used after the same token again, want 4", c.used)
	}
	c.put(tokenDigest{4}, grant, 4*placeBytes+1)
	if held(4) {
		t.Error("a token beyond the capacity was remembered")
	}
	c.put(tokenDigest{5}, grant, 4*placeBytes)
	if c.used != 4 || !held(5) || len(c.old) != 3 {
		t.Error("a token as large as a generation did not begin one")
	}
}

func TestCacheServesManyGoroutines(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v, clock, _ := cachingVerifier(t, key, 8)
	tokens := make([]string, 20)
	for i := range tokens {
		tokens[i] = sign(t, key, accessHeader(key), accessClaims(object{"jti": fmt.Sprint(i)}))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (g*7 + i) % len(tokens)
				grant, err := v.Verify(RolePublisher, tokens[n], testAudience)
				if err != nil || grant.ID != fmt.Sprint(n) {
					t.Errorf("token %d: got %+v, %v", n, grant, err)
					return
				}
			}
		})
	}
	wg.Wait()
	clock.advance(time.Hour)
	for _, token := range tokens {
		refused(t, v, RolePublisher, token, "expired")
	}
}
