package auth

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// verifyHeader verifies a header that has to be accepted, with the test's audience.
func verifyHeader(t *testing.T, v *Verifier, m *Memo, header string) *Grant {
	t.Helper()
	grant, present, err := v.VerifyHeader(m, RolePublisher, []byte(header), testAudience)
	if err != nil || !present {
		t.Fatalf("a valid header was refused: %v, present %t", err, present)
	}
	return grant
}

// forget empties the cache, so that what is still known is known to a memo.
func forget(v *Verifier) { v.cache = newGrantCache(100) }

func TestMemoSparesTheCache(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v, _, source := cachingVerifier(t, key, 100)
	header := "Bearer " + sign(t, key, accessHeader(key), accessClaims())

	memo := new(Memo)
	first := verifyHeader(t, v, memo, header)
	forget(v)
	for range 5 {
		if verifyHeader(t, v, memo, header) != first {
			t.Error("the grant was made anew")
		}
	}
	if n := source.checks.Load(); n != 1 {
		t.Errorf("%d validations, want 1", n)
	}
	for _, other := range []*Memo{nil, new(Memo)} {
		forget(v)
		verifyHeader(t, v, other, header)
	}
	if n := source.checks.Load(); n != 3 {
		t.Errorf("%d validations for connections without a memo of the token, want 3", n)
	}
}

// "Token Validation": what was once verified is asked anew for all that may change.
func TestMemoHoldsNoLongerThanTheCache(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	for name, change := range map[string]func(v *Verifier, c *clock){
		"expired":         func(_ *Verifier, c *clock) { c.advance(time.Minute) },
		"keys changed":    func(v *Verifier, _ *clock) { v.generation.Add(1) },
		"nothing changed": func(*Verifier, *clock) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, c, source := cachingVerifier(t, key, 100)
			memo, header := new(Memo), []byte("Bearer "+sign(t, key, accessHeader(key), accessClaims()))
			verifyHeader(t, v, memo, string(header))
			forget(v)
			change(v, c)
			_, _, err := v.VerifyHeader(memo, RolePublisher, header, testAudience)
			if (err != nil) != (name == "expired") {
				t.Errorf("after the change: %v", err)
			}
			if want := name != "nothing changed"; (source.checks.Load() == 2) != want {
				t.Errorf("%d validations; the token was to be validated anew: %t", source.checks.Load(), want)
			}
		})
	}
}

// What one role, audience or token was granted is not served to another.
func TestMemoKeepsRolesAudiencesAndTokensApart(t *testing.T) {
	t.Parallel()
	publisher, subscriber := newSecret(t), newSecret(t)
	v := newVerifier(t, publisher, func(o *Options) { o.Subscriber, o.CacheTokens = subscriber, 100 })
	memo, header := new(Memo), "Bearer "+sign(t, publisher, accessHeader(publisher), accessClaims())
	for name, other := range map[string]struct {
		role             Role
		header, audience string
		want             error
	}{
		"role":            {RoleSubscriber, header, testAudience, ErrInvalidToken},
		"audience":        {RolePublisher, header, "https://other.example/.well-known/mercure", ErrInvalidToken},
		"first character": {RolePublisher, "C" + header[1:], testAudience, ErrMalformed},
		"signature":       {RolePublisher, header[:len(header)-4] + "AAAA", testAudience, ErrInvalidToken},
		"shorter":         {RolePublisher, header[:len(header)-1], testAudience, ErrInvalidToken},
		"longer":          {RolePublisher, header + "A", testAudience, ErrInvalidToken},
		"empty":           {RolePublisher, "", testAudience, nil},
	} {
		verifyHeader(t, v, memo, header)
		grant, present, err := v.VerifyHeader(memo, other.role, []byte(other.header), other.audience)
		if grant != nil || !errors.Is(err, other.want) || present != (other.header != "") {
			t.Errorf("another %s: got %+v, present %t, %v; want %v", name, grant, present, err, other.want)
		}
	}
}

// The header that is verified belongs to the request and is overwritten by the next.
func TestMemoKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v, _, _ := cachingVerifier(t, key, 100)
	memo, header := new(Memo), []byte("Bearer "+sign(t, key, accessHeader(key), accessClaims()))
	if _, _, err := v.VerifyHeader(memo, RolePublisher, header, testAudience); err != nil {
		t.Fatal(err)
	}
	copy(header[len("Bearer "):], "forged")
	if _, _, err := v.VerifyHeader(memo, RolePublisher, header, testAudience); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("after the buffer changed: %v, want ErrInvalidToken", err)
	}
}

func TestMemoIsBounded(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v, _, _ := cachingVerifier(t, key, 100)
	memo := new(Memo)
	verifyHeader(t, v, memo, "Bearer "+sign(t, key, accessHeader(key), accessClaims()))
	if memo.grant == nil {
		t.Fatal("a token of the usual length is not kept")
	}
	verifyHeader(t, v, memo, "Bearer "+sign(t, key, accessHeader(key), accessClaims(object{"jti": strings.Repeat("x", memoBytes)})))
	if memo.grant != nil || memo.header != nil {
		t.Errorf("a header of more than %d bytes is kept", memoBytes)
	}
}

// Who turns remembering off has every token validated.
func TestMemoIsOffWithTheCache(t *testing.T) {
	t.Parallel()
	key := newSecret(t)
	v, _, source := cachingVerifier(t, key, -1)
	memo, header := new(Memo), "Bearer "+sign(t, key, accessHeader(key), accessClaims())
	verifyHeader(t, v, memo, header)
	verifyHeader(t, v, memo, header)
	if n := source.checks.Load(); n != 2 {
		t.Errorf("%d validations, want 2", n)
	}
}
