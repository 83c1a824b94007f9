package auth

import (
	"bytes"
	"errors"
	"strings"
)

// ErrMalformed is returned for credentials that are not presented as the protocol asks, whatever the
// token may be worth: 400 with error="invalid_request" ("Error Responses").
var ErrMalformed = errors.New("malformed authorization header")

// BearerToken takes the token out of the value of the one Authorization header of a request. present
// is false if the value is empty: there is no such header, and a cookie may count instead. A header
// of another scheme is malformed and does not let the cookie count, because a header that is present
// decides ("Presenting the Access Token"). The scheme's case does not matter (RFC 9110, section 11.1). The token is a part of
// the header.
func BearerToken(header []byte) (token []byte, present bool, err error) {
	header = bytes.Trim(header, " \t")
	if len(header) == 0 {
		return nil, false, nil
	}
	scheme, token, found := bytes.Cut(header, []byte(" "))
	token = bytes.TrimLeft(token, " ")
	if !found || !strings.EqualFold(string(scheme), "Bearer") || !isToken68(token) {
		return nil, true, ErrMalformed
	}
	return token, true, nil
}

// isToken68 checks the syntax of b64token (RFC 6750, section 2.1).
func isToken68(s []byte) bool {
	s = bytes.TrimRight(s, "=")
	for _, c := range s {
		if !token68[c] {
			return false
		}
	}
	return len(s) > 0
}

// token68 has the bytes that a token may consist of.
var token68 = func() (table [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		table[c] = true
	}
	return table
}()
