package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// claims are the registered claims of a token (RFC 7519, section 4.1) that the hub reads. The zero
// value of each stands for a claim that is missing.
type claims struct {
	issuer, subject, id string
	audience            []string
	expires, notBefore  time.Time
	issued              time.Time
}

// readClaims reads the registered claims. One of the wrong type is an error in either dialect; null
// counts as missing. "iat" has to be a date and is no condition: RFC 7519, section 4.1.6, makes it
// none, and hubs of 0.x have accepted tokens from issuers whose clock is ahead.
func readClaims(members map[string]json.RawMessage) (claims, error) {
	var c claims
	for name, target := range map[string]*string{"iss": &c.issuer, "sub": &c.subject, "jti": &c.id} {
		s, err := readString(members[name])
		if err != nil {
			return claims{}, fmt.Errorf("%q is not a string", name)
		}
		*target = s
	}
	for name, target := range map[string]*time.Time{"exp": &c.expires, "nbf": &c.notBefore, "iat": &c.issued} {
		t, err := readDate(members[name])
		if err != nil {
			return claims{}, fmt.Errorf("%q: %w", name, err)
		}
		*target = t
	}
	var err error
	c.audience, err = readAudience(members["aud"])
	return c, err
}

// checkTime enforces the lifetime of a token at the time now: it ends at "exp", not after it, and
// begins at "nbf".
func (c *claims) checkTime(now time.Time) error {
	switch {
	case !c.expires.IsZero() && !now.Before(c.expires):
		return errors.New("token has expired")
	case now.Before(c.notBefore):
		return errors.New(`token is not valid before its "nbf"`)
	}
	return nil
}

// checkAccess enforces what 1.0 asks of a token beside its lifetime and its issuer ("Token Validation").
// An empty audience, which a hub that does not know its own has, matches no token.
func (c *claims) checkAccess(audience string) error {
	switch {
	case c.expires.IsZero():
		return errors.New(`"exp" is missing, which 1.0 tokens require`)
	case audience == "":
		return errors.New("the hub's audience is unknown, which 1.0 tokens require")
	case !slices.Contains(c.audience, audience):
		return fmt.Errorf(`"aud" does not name the audience %q`, audience)
	}
	return nil
}

// maxDate is the latest date, in seconds, that a JSON number holds exactly.
const maxDate = 1 << 53

// readDate reads an optional NumericDate (RFC 7519, section 2). Dates before 1970 are refused, as no
// issuer means one.
func readDate(data json.RawMessage) (time.Time, error) {
	if absent(data) {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseFloat(string(data), 64)
	if err != nil || seconds < 0 || seconds > maxDate {
		return time.Time{}, errors.New("not a numeric date")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), nil
}

// readAudience reads "aud", which is a string or an array of strings (RFC 7519, section 4.1.3).
func readAudience(data json.RawMessage) ([]string, error) {
	if one, err := readString(data); err == nil {
		return []string{one}, nil
	}
	many, err := readArray(data)
	if err != nil {
		return nil, errors.New(`"aud" is neither a string nor an array`)
	}
	audience := make([]string, len(many))
	for i, entry := range many {
		if audience[i], err = readExactString(entry); err != nil {
			return nil, errors.New(`"aud" holds something that is not a string`)
		}
	}
	return audience, nil
}
