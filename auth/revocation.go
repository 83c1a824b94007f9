package auth

import (
	"errors"
	"sync"
	"time"
)

var (
	// ErrRevocationsFull is returned for a revocation that there is no room for. It has no effect.
	ErrRevocationsFull = errors.New("no room for another revocation")
	// errRevoked is wrapped by the error for a token that was revoked, which is invalid (RFC 6750, section 3.1).
	errRevoked = errors.New("token is revoked")
)

// Revocation says which tokens are refused although they are valid otherwise.
type Revocation struct {
	// IDs are values of "jti" and Subjects values of "sub".
	IDs, Subjects []string
	// Issuer restricts the revocation to tokens of one issuer; empty means every issuer.
	Issuer string
	// IssuedBefore restricts it to tokens whose "iat" is missing or not later; the zero time means every token.
	IssuedBefore time.Time
	// Until is when it ends. A token that has not expired by then is accepted again.
	Until time.Time
}

// Kinds of what is revoked, as they are stored.
const (
	revokedID      = "jti"
	revokedSubject = "sub"
)

// revocationKey is what is revoked; an empty issuer stands for any.
type revocationKey struct{ kind, issuer, value string }

// refusal is for how long, and up to which "iat", tokens are refused.
type refusal struct{ until, issuedBefore time.Time }

// merge returns a refusal that refuses at least what either does: one that is repeated must not let in what the
// first keeps out.
func (r refusal) merge(other refusal) refusal {
	if other.until.After(r.until) {
		r.until = other.until
	}
	switch {
	case r.issuedBefore.IsZero() || other.issuedBefore.IsZero():
		r.issuedBefore = time.Time{}
	case other.issuedBefore.After(r.issuedBefore):
		r.issuedBefore = other.issuedBefore
	}
	return r
}

// revocations is the bounded table of what is revoked. Entries leave it when their time has passed; one that
// has not is never pushed out, because that would let its tokens in again.
type revocations struct {
	max int

	mu      sync.RWMutex // guards entries, for lookups and changes in memory alone
	entries map[revocationKey]refusal

	// saving is held while the table is written to its file, so that an older state never replaces a newer one. No
	// lookup waits for it.
	saving sync.Mutex
	file   string // guarded by saving; empty if the table is not kept
}

func newRevocations(limit int) *revocations {
	return &revocations{max: limit, entries: map[revocationKey]refusal{}}
}

// add takes what r revokes, all of it or nothing.
func (t *revocations) add(r *Revocation, now time.Time) error {
	added := make(map[revocationKey]refusal, len(r.IDs)+len(r.Subjects))
	for kind, values := range map[string][]string{revokedID: r.IDs, revokedSubject: r.Subjects} {
		for _, value := range values {
			added[revocationKey{kind, r.Issuer, value}] = refusal{r.Until, r.IssuedBefore}
		}
	}
	return t.take(added, now)
}

// take merges the entries into the table.
func (t *revocations) take(added map[revocationKey]refusal, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, entry := range t.entries {
		if !now.Before(entry.until) {
			delete(t.entries, key)
		}
	}
	size := len(t.entries)
	for key := range added {
		if _, known := t.entries[key]; !known {
			size++
		}
	}
	if size > t.max {
		return ErrRevocationsFull
	}
	for key, entry := range added {
		if known, ok := t.entries[key]; ok {
			entry = known.merge(entry)
		}
		t.entries[key] = entry
	}
	return nil
}

// has reports whether the bearer's token is refused at the time now.
func (t *revocations) has(i *Identity, now time.Time) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.entries) == 0 {
		return false
	}
	refuses := func(kind, issuer, value string) bool {
		entry, ok := t.entries[revocationKey{kind, issuer, value}]
		return ok && value != "" && now.Before(entry.until) && (entry.issuedBefore.IsZero() || !i.Issued.After(entry.issuedBefore))
	}
	return refuses(revokedID, "", i.ID) || refuses(revokedSubject, "", i.Subject) ||
		refuses(revokedID, i.Issuer, i.ID) || refuses(revokedSubject, i.Issuer, i.Subject)
}

// count returns how many entries hold at the time now.
func (t *revocations) count(now time.Time) (n int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, entry := range t.entries {
		if now.Before(entry.until) {
			n++
		}
	}
	return n
}

// Revoke refuses tokens from now on, those among them that are remembered. It returns ErrRevocationsFull if nothing
// was done; with any other error the revocation holds, but not longer than the process.
func (v *Verifier) Revoke(r Revocation) error {
	if err := v.revocations.add(&r, v.now()); err != nil {
		return err
	}
	// In this order: a grant that was remembered while the count was the new one was looked up in the new table.
	v.generation.Add(1)
	return v.revocations.save(v.now())
}

// Revoked reports whether the token of the identity, which may be nil, was revoked.
func (v *Verifier) Revoked(i *Identity) bool { return i != nil && v.revocations.has(i, v.now()) }

// Revocations returns how many ids and subjects are revoked.
func (v *Verifier) Revocations() int { return v.revocations.count(v.now()) }
