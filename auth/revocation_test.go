package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// newClock returns a clock that a test sets, and how to move it on.
func newClock() (now func() time.Time, advance func(time.Duration)) {
	var passed atomic.Int64
	return func() time.Time { return epoch().Add(time.Duration(passed.Load())) }, func(d time.Duration) { passed.Add(int64(d)) }
}

func revoke(t *testing.T, v *Verifier, r Revocation) {
	t.Helper()
	if r.Until.IsZero() {
		r.Until = v.now().Add(time.Hour)
	}
	if err := v.Revoke(r); err != nil {
		t.Fatal(err)
	}
}

func TestRevokedTokensAreRefused(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	tests := map[string]struct {
		revocation Revocation
		claims     object
		refused    bool
	}{
		"by id":                    {Revocation{IDs: []string{"x", "token-1"}}, nil, true},
		"by subject":               {Revocation{Subjects: []string{"alice"}}, nil, true},
		"by id of the issuer":      {Revocation{IDs: []string{"token-1"}, Issuer: testIssuer}, nil, true},
		"by subject of the issuer": {Revocation{Subjects: []string{"alice"}, Issuer: testIssuer}, nil, true},
		"another id":               {Revocation{IDs: []string{"token-10", "token-", "alice"}}, nil, false},
		"another subject":          {Revocation{Subjects: []string{"Alice", "bob", "token-1"}}, nil, false},
		"of another issuer":        {Revocation{Subjects: []string{"alice"}, IDs: []string{"token-1"}, Issuer: otherIssuer}, nil, false},
		"issued before":            {Revocation{Subjects: []string{"alice"}, IssuedBefore: epoch()}, nil, true},
		"issued later":             {Revocation{Subjects: []string{"alice"}, IssuedBefore: epoch()}, object{"iat": epoch().Unix() + 1}, false},
		"issued some time":         {Revocation{Subjects: []string{"alice"}, IssuedBefore: epoch()}, object{"iat": nil}, true},
		"a token without names":    {Revocation{Subjects: []string{""}, IDs: []string{""}}, object{"sub": nil, "jti": nil}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, key, nil)
			access := sign(t, key, accessHeader(key), accessClaims(test.claims))
			classic := sign(t, key, classicHeader(key), with(classicClaims(), object{"iss": testIssuer, "sub": "alice", "jti": "token-1", "iat": epoch().Unix()}, test.claims))
			revoke(t, v, test.revocation)
			for _, token := range []string{access, classic} {
				for _, role := range []Role{RolePublisher, RoleSubscriber} {
					if test.refused {
						refused(t, v, role, token, "revoked")
					} else if g := accepted(t, v, role, token); v.Revoked(g.Identity) {
						t.Error("the identity of a token that is accepted is revoked")
					}
				}
			}
		})
	}
}

// Whatever remembers a token forgets it: the cache, and the memo of a connection.
func TestRevocationVoidsWhatIsRemembered(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, func(o *Options) { o.CacheTokens = 100 })
	token := sign(t, key, accessHeader(key), accessClaims())
	other := sign(t, key, accessHeader(key), accessClaims(object{"sub": "bob", "jti": "token-2"}))
	var memo Memo
	present := func(token string) error {
		_, _, err := v.VerifyHeader(&memo, RolePublisher, []byte("Bearer "+token), testAudience)
		return err
	}
	for range 2 {
		if err := present(token); err != nil {
			t.Fatal(err)
		}
	}
	identity := accepted(t, v, RolePublisher, token).Identity
	accepted(t, v, RoleSubscriber, token)
	accepted(t, v, RolePublisher, other)

	revoke(t, v, Revocation{IDs: []string{"token-1"}})
	if err := present(token); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("the memo's token: %v", err)
	}
	refused(t, v, RolePublisher, token, "revoked")
	refused(t, v, RoleSubscriber, token, "revoked")
	accepted(t, v, RolePublisher, other)
	if !v.Revoked(identity) || v.Revoked(nil) {
		t.Error("open streams would not be told apart")
	}
}

func TestRevocationEnds(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	now, advance := newClock()
	v := newVerifier(t, key, func(o *Options) { o.Now, o.CacheTokens = now, 100 })
	token := sign(t, key, accessHeader(key), accessClaims(object{"exp": epoch().Add(24 * time.Hour).Unix()}))
	revoke(t, v, Revocation{Subjects: []string{"alice"}, Until: epoch().Add(time.Hour)})
	// One that ends sooner does not shorten it.
	revoke(t, v, Revocation{Subjects: []string{"alice"}, Until: epoch().Add(time.Minute), IssuedBefore: epoch().Add(-time.Hour)})
	advance(time.Hour - 1)
	refused(t, v, RolePublisher, token, "revoked")
	if n := v.Revocations(); n != 1 {
		t.Errorf("%d revocations hold", n)
	}
	advance(1)
	accepted(t, v, RolePublisher, token)
	if n := v.Revocations(); n != 0 {
		t.Errorf("%d revocations hold after their time", n)
	}
}

// The table is bounded, and what it holds is never given up for what is new.
func TestRevocationsAreBounded(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	now, advance := newClock()
	v := newVerifier(t, key, func(o *Options) { o.Now, o.MaxRevocations = now, 3 })
	hour := epoch().Add(time.Hour)
	revoke(t, v, Revocation{IDs: []string{"1", "2"}, Until: hour})
	if err := v.Revoke(Revocation{IDs: []string{"3", "4"}, Until: hour}); !errors.Is(err, ErrRevocationsFull) {
		t.Errorf("beyond the bound: %v", err)
	}
	if v.Revoked(&Identity{ID: "3"}) || !v.Revoked(&Identity{ID: "1"}) {
		t.Error("a revocation that has no room has an effect")
	}
	revoke(t, v, Revocation{IDs: []string{"1", "2", "3"}, Until: hour}) // those that are known take no room
	advance(time.Hour)
	revoke(t, v, Revocation{IDs: []string{"5", "6", "7"}})
}

// Revocations are there again after a restart, and a file that cannot be read lets nobody in.
func TestRevocationsAreKept(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hub.db.revoked")
	key := newSecret(t)
	token := sign(t, key, accessHeader(key), accessClaims())
	first := newVerifier(t, key, nil)
	if err := first.KeepRevocations(file); err != nil {
		t.Fatal(err)
	}
	revoke(t, first, Revocation{Subjects: []string{"alice"}, Issuer: testIssuer, IssuedBefore: epoch()})

	second := newVerifier(t, key, func(o *Options) { o.CacheTokens = 100 })
	accepted(t, second, RoleSubscriber, token)
	if err := second.KeepRevocations(file); err != nil {
		t.Fatal(err)
	}
	refused(t, second, RoleSubscriber, token, "revoked")
	accepted(t, second, RoleSubscriber, sign(t, key, accessHeader(key), accessClaims(object{"iat": epoch().Unix() + 60})))

	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(file + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	for _, text := range []string{"", "[", `{"jti":"1"}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := newVerifier(t, key, nil).KeepRevocations(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("a file with %q: %v", text, err)
		}
	}
}

// A revocation that cannot be written holds nonetheless, and the error says that it may not last.
func TestRevocationHoldsWithoutItsFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "gone")
	v := newVerifier(t, newSecret(t), nil)
	if err := v.KeepRevocations(filepath.Join(dir, "revoked")); err != nil {
		t.Fatal(err)
	}
	if err := v.Revoke(Revocation{IDs: []string{"1"}, Until: epoch().Add(time.Hour)}); err == nil || errors.Is(err, ErrRevocationsFull) {
		t.Errorf("error is %v", err)
	}
	if !v.Revoked(&Identity{ID: "1"}) {
		t.Error("the revocation does not hold")
	}
}

// The hub's own action, in both dialects: it selects what may be revoked, and grants nothing else.
func TestActionRevoke(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	topic := "https://example.com/books/1"
	for name, token := range map[string]string{
		"1.0": sign(t, key, accessHeader(key), accessClaims(object{"authorization_details": []any{detailOf(object{"actions": []any{"revoke"}})}})),
		"0.x": sign(t, key, classicHeader(key), object{"mercure": object{"revoke": []any{topic}}}),
	} {
		g := accepted(t, v, RolePublisher, token)
		if !g.Revoke.Match(topic) || g.Revoke.Match(topic+"0") || g.Publish.Match(topic) || g.Subscribe.Match(topic) {
			t.Errorf("%s: grants %v, %v and %v", name, g.Revoke.Key(), g.Publish.Key(), g.Subscribe.Key())
		}
	}
	for name, token := range map[string]string{
		"1.0": sign(t, key, accessHeader(key), accessClaims()),
		"0.x": sign(t, key, classicHeader(key), classicClaims()),
	} {
		if g := accepted(t, v, RolePublisher, token); g.Revoke.Match(topic) {
			t.Errorf("%s: a token for publish and subscribe may revoke", name)
		}
	}
	refused(t, v, RolePublisher, sign(t, key, classicHeader(key), object{"mercure": object{"revoke": "x"}}), "mercure.revoke")
}

// A bearer is told by its subject, or else by its token's id, or else by the token.
func TestBearersAreToldApart(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v := newVerifier(t, key, nil)
	bearer := func(changes ...object) Bearer {
		return accepted(t, v, RolePublisher, sign(t, key, classicHeader(key), classicClaims(changes...))).Bearer
	}
	n := 0
	unlike := func() object { n++; return object{"nonce": strconv.Itoa(n)} }
	alice := bearer(object{"sub": "alice"}, unlike())
	if alice != bearer(object{"sub": "alice", "jti": "1"}, unlike()) {
		t.Error("two tokens of one subject are two bearers")
	}
	if one := bearer(object{"jti": "1"}, unlike()); one != bearer(object{"jti": "1"}, unlike()) {
		t.Error("one id is two bearers")
	}
	seen := map[Bearer]bool{alice: true}
	for i, b := range []Bearer{
		bearer(object{"sub": "bob"}), bearer(object{"sub": "alice", "iss": "i"}), bearer(object{"jti": "alice"}),
		bearer(object{"sub": "ialice"}), bearer(unlike()), bearer(unlike()),
	} {
		if seen[b] {
			t.Errorf("bearer %d is another's", i)
		}
		seen[b] = true
	}
}
