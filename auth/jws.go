package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// header is what is read of a JOSE header. Key material in it ("jwk", "jku", "x5c", "x5u") is not
// read at all ("Token Validation").
type header struct {
	algorithm string
	typ       string
	keyID     string // "kid"
}

// jws is a JWS in compact serialization (RFC 7515, section 7.1), of which nothing but the header has
// been read.
type jws struct {
	header    header
	text      string // what is signed
	payload   string // the second segment
	signature []byte
}

// parseJWS takes a token apart.
func parseJWS(token string) (*jws, error) {
	last := max(strings.LastIndexByte(token, '.'), 0)
	text, signature := token[:last], strings.TrimPrefix(token[last:], ".")
	first, second, ok := strings.Cut(text, ".")
	if !ok {
		return nil, errors.New("less than three segments")
	}
	h, err := readHeader(first)
	if err != nil {
		return nil, err
	}
	sig, err := decodeSegment(signature)
	if err != nil {
		return nil, errSignature
	}
	return &jws{header: h, text: text, payload: second, signature: sig}, nil
}

// claims returns the members of the payload. They are what an unknown sender claims until a key has
// verified the signature.
func (j *jws) claims() (map[string]json.RawMessage, error) {
	payload, err := decodeSegment(j.payload)
	if err != nil {
		return nil, errors.New("claims are not base64url")
	}
	members, err := readObject(payload)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	return members, nil
}

// decodeSegment is strict, so that a token has one spelling: whoever looks for a token that is known,
// revoked or remembered must not miss it for a line break or for bits that do not count.
func decodeSegment(segment string) ([]byte, error) {
	if strings.ContainsAny(segment, "\r\n") {
		return nil, base64.CorruptInputError(strings.IndexAny(segment, "\r\n"))
	}
	return base64.RawURLEncoding.Strict().DecodeString(segment)
}

func readHeader(segment string) (header, error) {
	data, err := decodeSegment(segment)
	if err != nil {
		return header{}, errors.New("header is not base64url")
	}
	members, err := readObject(data)
	if err != nil {
		return header{}, errors.New("header is not a JSON object")
	}
	var h header
	if h.algorithm, err = readString(members["alg"]); err != nil {
		return header{}, errors.New(`"alg" is not a string`)
	}
	if h.typ, err = readString(members["typ"]); err != nil {
		return header{}, errors.New(`"typ" is not a string`)
	}
	if h.keyID, err = readString(members["kid"]); err != nil {
		return header{}, errors.New(`"kid" is not a string`)
	}
	// "crit" names extensions that must be understood (RFC 7515, section 4.1.11). None is.
	if _, ok := members["crit"]; ok {
		return header{}, errors.New(`"crit" names an extension`)
	}
	return h, nil
}

// isAccessToken tells whether typ is that of a JWT access token, which is compared without the prefix
// that media types may leave out and whatever its case (RFC 7515, section 4.1.9).
func (h header) isAccessToken() bool {
	const prefix = "application/"
	typ := h.typ
	if len(typ) > len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	return strings.EqualFold(typ, accessTokenType)
}

// accessTokenType is the media type of JWT access tokens (RFC 9068, section 2.1).
const accessTokenType = "at+jwt"
