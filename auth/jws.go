package auth

import (
	"encoding/base64"
	"errors"
	"strings"
)

// keySource finds the key that a token of some role has to be signed with. A configured key is a
// source of one. The header may help to choose among trusted keys; it must not bring one.
type keySource interface {
	find(h header) (*verificationKey, error)
}

// find makes a single key a source: it is the key of every token that names its algorithm.
func (k *verificationKey) find(h header) (*verificationKey, error) {
	if h.algorithm != k.algorithm {
		return nil, errors.New(`"alg" is not the configured algorithm ` + k.algorithm)
	}
	return k, nil
}

// header is what is read of a JOSE header. Key material in it ("jwk", "jku", "x5c", "x5u") is not
// read at all ("Token Validation").
type header struct {
	algorithm string
	typ       string
}

// open verifies a JWS in compact serialization (RFC 7515, section 7.1) and returns its header and
// its payload. Nothing but the header is looked at before the signature is verified.
func open(token string, keys keySource) (header, []byte, error) {
	last := max(strings.LastIndexByte(token, '.'), 0)
	text, signature := token[:last], strings.TrimPrefix(token[last:], ".")
	first, second, ok := strings.Cut(text, ".")
	if !ok {
		return header{}, nil, errors.New("less than three segments")
	}
	h, err := readHeader(first)
	if err != nil {
		return header{}, nil, err
	}
	key, err := keys.find(h)
	if err != nil {
		return header{}, nil, err
	}
	sig, err := decodeSegment(signature)
	if err != nil || !key.signed(text, sig) {
		return header{}, nil, errors.New("signature is not by the configured key")
	}
	payload, err := decodeSegment(second)
	if err != nil {
		return header{}, nil, errors.New("claims are not base64url")
	}
	return h, payload, nil
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
