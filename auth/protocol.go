package auth

import "fmt"

// Protocol is a version of the protocol, or both of them.
type Protocol uint8

const (
	// Both accepts tokens of either version, each by its own rules.
	Both Protocol = iota
	// V1 is 1.0, draft-dunglas-mercure-08.
	V1
	// V0 is 0.x, draft-dunglas-mercure-07.
	V0
)

// ParseProtocol reads "both", "1.0" or "0.x".
func ParseProtocol(s string) (Protocol, error) {
	for _, p := range [...]Protocol{Both, V1, V0} {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf(`protocol %q is not "both", "1.0" or "0.x"`, s)
}

// String returns the form that ParseProtocol reads.
func (p Protocol) String() string {
	switch p {
	case Both:
		return "both"
	case V1:
		return "1.0"
	case V0:
		return "0.x"
	}
	return "unknown"
}

// Allows tells whether tokens of dialect, which is V1 or V0, are accepted.
func (p Protocol) Allows(dialect Protocol) bool { return p == Both || p == dialect }
