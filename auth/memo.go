package auth

import "crypto/subtle"

// memoBytes is the longest header that a Memo keeps; a longer one is looked up by its digest each time.
const memoBytes = 2048

// Memo is the Authorization header that one connection presented last, and what it was granted for it. A
// client that sends the same header with each request pays for one comparison: no digest, no copy of the
// token, no look into the cache that all connections share. A Memo only says that this is the token that was
// verified. Whether its grant holds is asked each time, as it is of the cache: for the role, the audience, the
// generation of the trusted keys and the time.
//
// The zero value is ready. A Memo is used by one goroutine at a time. It holds a token, as the buffers of a
// connection do, and is to go with its connection.
type Memo struct {
	header     []byte
	role       Role
	audience   string
	generation uint64
	grant      *Grant
}

// VerifyHeader is BearerToken and Verify for the value of a request's one Authorization header. m is the
// memo of the connection, or nil.
func (v *Verifier) VerifyHeader(m *Memo, role Role, header []byte, audience string) (grant *Grant, present bool, err error) {
	audience = v.effective(audience)
	// Ahead of the keys: if they change meanwhile, what is remembered is not found again.
	generation := v.generation.Load()
	if grant := m.recall(role, header, audience, generation); grant != nil && !grant.expired(v.now()) {
		return grant, true, nil
	}
	token, present, err := BearerToken(header)
	if !present || err != nil {
		return nil, present, err
	}
	grant, err = v.verify(role, token, audience, generation)
	if err != nil {
		return nil, true, err
	}
	if v.cache.places > 0 {
		m.remember(role, header, audience, generation, grant)
	}
	return grant, true, nil
}

// recall returns the grant if all is as it was, or nil. A proxy may send the requests of many clients over
// one connection, so the time that the comparison takes must not tell how much of a guess is right.
func (m *Memo) recall(role Role, header []byte, audience string, generation uint64) *Grant {
	if m == nil || m.grant == nil || m.role != role || m.generation != generation || m.audience != audience ||
		subtle.ConstantTimeCompare(m.header, header) == 0 {
		return nil
	}
	return m.grant
}

// remember replaces what the memo holds.
func (m *Memo) remember(role Role, header []byte, audience string, generation uint64, grant *Grant) {
	switch {
	case m == nil:
	case len(header) > memoBytes:
		*m = Memo{}
	default:
		*m = Memo{append(m.header[:0], header...), role, audience, generation, grant}
	}
}
