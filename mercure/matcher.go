package mercure

// MatcherType says how a matcher's pattern is read. It also tells the protocol version in which a
// subscription was made, because only 0.x has templates.
type MatcherType uint8

const (
	// Exact compares byte for byte ("Exact Matching"); 1.0.
	Exact MatcherType = iota
	// URLPattern is a WHATWG URL Pattern ("URL Pattern"); 1.0.
	URLPattern
	// Template is the topic selector of 0.x: the string itself or a URI Template (RFC 6570).
	Template
)

// String returns the name of the type as it stands in parameters, claims and topics of 1.0;
// "template" has no such use.
func (t MatcherType) String() string {
	switch t {
	case Exact:
		return "exact"
	case URLPattern:
		return "urlpattern"
	case Template:
		return "template"
	}
	return "unknown"
}

// Matcher is an expression that selects topics. The pattern "*" selects all of them whatever the type.
type Matcher struct {
	Type    MatcherType
	Pattern string
}
