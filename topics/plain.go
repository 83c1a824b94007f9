package topics

import "strings"

// byteSet names a set of bytes, all of them visible ASCII characters.
type byteSet uint8

const (
	// What the URL parser keeps as it is in a path, an opaque path, a query and a fragment.
	plainPath byteSet = 1 << iota
	plainOpaque
	plainQuery
	plainFragment
	// What {name} and {+name} of a URI template expand to, besides percent-encoded bytes.
	expandSimple
	expandReserved
)

// has reports whether c is in the set.
func (set byteSet) has(c byte) bool { return byteSets[c]&set != 0 }

// byteSets tells for each byte in which sets it is. It is written once, here.
var byteSets = func() (table [256]byteSet) {
	// The percent-encode sets of the URL Standard, section 1.3; all of them contain the controls, the
	// space and what is not ASCII. A backslash acts as a slash in the paths of http URLs.
	for set, without := range map[byteSet]string{
		plainPath:      "\"#<>?`{}\\^",
		plainOpaque:    "?#",
		plainQuery:     "\"#<>'",
		plainFragment:  "\"<>`",
		expandSimple:   "!\"#$%&'()*+/:;<=>?@[\\]^`{|}", // Unreserved characters and the comma are left.
		expandReserved: "\"%<>\\^`{|}",
	} {
		for c := byte('!'); c <= '~'; c++ {
			if strings.IndexByte(without, c) < 0 {
				table[c] |= set
			}
		}
	}
	return table
}()

// plainLen returns how many bytes at the start of s are in the set.
func plainLen(s string, set byteSet) int {
	for i := range len(s) {
		if !set.has(s[i]) {
			return i
		}
	}
	return len(s)
}

// hasDotSegment reports whether the parser would shorten the path: one of its segments is "." or "..",
// in which the dots may be percent-encoded.
func hasDotSegment(path string) bool {
	for path != "" {
		segment, rest, _ := strings.Cut(path, "/")
		path = rest
		if segment == "" || segment[0] != '.' && segment[0] != '%' || len(segment) > len("%2e%2e") {
			continue
		}
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".", "..":
			return true
		}
	}
	return false
}

func isSchemeByte(c byte) bool {
	return 'a' <= c && c <= 'z' || isDigit(c) || c == '+' || c == '-' || c == '.'
}

// splitHost splits an authority into a domain and a port, either of which the parser would keep as it
// is. Anything that it would look at more closely is not ok: user names, IP addresses,
// internationalised and empty labels.
func splitHost(authority string) (host, portText string, ok bool) {
	host, portText, hasPort := strings.Cut(authority, ":")
	if hasPort && !isPort(portText) || len(host) > 253 {
		return "", "", false
	}
	for rest, more := host, true; more; {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		if !isLabel(label) || !more && isDigit(label[0]) {
			return "", "", false
		}
	}
	return host, portText, true
}

// isLabel reports whether s is a lower-case label of a domain that is no A-label (RFC 5890) and
// none of the reserved ones that resemble them.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', isDigit(c):
		case c == '-' && s[i-1] != '-':
		default:
			return false
		}
	}
	return true
}

// isPort reports whether s is a port in its shortest form.
func isPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}
