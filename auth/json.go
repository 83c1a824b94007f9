package auth

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

var (
	errNotObject = errors.New("not a JSON object")
	errNotArray  = errors.New("not a JSON array")
	errNotString = errors.New("not a JSON string")
)

// readObject returns the members of a JSON object by their exact names. Decoding into a struct would
// take "EXP" for "exp". Of members with one name the last counts, as RFC 7519, section 4, allows.
// Bytes that are not UTF-8 are an error (section 7.2); the decoder would put U+FFFD for them and so
// change what a selector selects.
func readObject(data []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil || !utf8.Valid(data) {
		return nil, errNotObject
	}
	return members, nil
}

// readString reads an optional string; a missing member and null are the empty string.
func readString(data json.RawMessage) (string, error) {
	var s string
	if data == nil {
		return "", nil
	}
	err := json.Unmarshal(data, &s)
	return s, err
}

// readExactString reads a string that has to be there.
func readExactString(data json.RawMessage) (string, error) {
	if len(data) == 0 || data[0] != '"' {
		return "", errNotString
	}
	return readString(data)
}

// readArray returns the entries of an array that has to be there.
func readArray(data json.RawMessage) ([]json.RawMessage, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil || entries == nil {
		return nil, errNotArray
	}
	return entries, nil
}

// absent tells whether an optional member is missing or null.
func absent(data json.RawMessage) bool { return data == nil || string(data) == "null" }
