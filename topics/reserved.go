package topics

import "strings"

// Reserved reports whether the topic addresses the namespace that only the hub may publish to: resolved
// against the hub's URL, its path is the hub's path or below it, whatever the scheme and the authority
// ("Publication", "Reserved Hub Namespace"). A topic that is not a URL reference does not. One that is
// too long to be resolved counts as reserved, since nothing shows that it is not.
func (s *Space) Reserved(topic string) bool {
	var l location
	switch s.resolver.resolve(topic, &l) {
	case resolved:
		// The parser has removed the dot segments.
		rest, ok := strings.CutPrefix(decodeUnreserved(l.components[pathname]), s.hubPath)
		return ok && (rest == "" || rest[0] == '/')
	case tooLong:
		return true
	}
	return false
}

// decodeUnreserved decodes the percent-encoded octets that stand for unreserved characters (RFC 3986,
// sections 2.3 and 6.2.2.2).
func decodeUnreserved(path string) string {
	i := strings.IndexByte(path, '%')
	if i < 0 {
		return path
	}
	var b strings.Builder
	b.Grow(len(path))
	b.WriteString(path[:i])
	for ; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			if d := unhex(path[i+1])<<4 | unhex(path[i+2]); isUnreserved(d) {
				c = d
				i += 2
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c&0x0f + 9
}

func isUnreserved(c byte) bool {
	return isAlpha(c) || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~'
}
