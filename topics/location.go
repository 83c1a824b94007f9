package topics

import (
	"strings"

	"github.com/nlnwa/whatwg-url/url"
)

// The components of a URL Pattern, in the order in which they stand in a URL.
const (
	protocol = iota
	username
	password
	hostname
	port
	pathname
	search
	hash
	componentCount
)

// maxDearTopic is the longest topic given to the URL parser or to a regular expression. The former takes
// time quadratic in the length of user names and in the number of path segments, and the latter some
// microseconds for each byte at worst. What would take them is held not to match, as "URL Pattern" permits.
const maxDearTopic = 4096

// location is a topic resolved against the hub's URL.
type location struct {
	components [componentCount]string
	// locator is scheme://host[:port]path, whatever the scheme. It is what the index holds against the
	// anchors of URL patterns.
	locator string
}

// setLocator builds the locator from the components.
func (l *location) setLocator() {
	colon := ""
	if l.components[port] != "" {
		colon = ":"
	}
	l.locator = l.components[protocol] + "://" + l.components[hostname] + colon + l.components[port] + l.components[pathname]
}

// resolution tells what became of the attempt to resolve a topic.
type resolution uint8

const (
	unresolved resolution = iota // not attempted yet
	odd                          // not plain, so left to the parser
	resolved
	unparsable // not a URL reference
	tooLong    // longer than maxDearTopic, and not plain
)

// resolver resolves topics against the hub's URL. It is immutable and safe for concurrent use.
type resolver struct {
	base   *url.Url
	hub    location
	origin string // the locator of the hub without its path
	dir    string // the hub's path up to its last slash
}

func newResolver(base *url.Url) *resolver {
	// Parsing a reference clones the base, which creates the search parameters on first use. Doing
	// that here makes later clones read-only.
	base.SearchParams()

	r := &resolver{base: base}
	r.hub.setURL(base)
	path := r.hub.components[pathname]
	r.origin = strings.TrimSuffix(r.hub.locator, path)
	r.dir = path[:strings.LastIndexByte(path, '/')+1]
	return r
}

func (l *location) setURL(u *url.Url) {
	l.components = [componentCount]string{
		u.Scheme(), u.Username(), u.Password(), u.Hostname(), u.Port(), u.Pathname(), u.Query(), u.Fragment(),
	}
	l.setLocator()
}

// resolve parses the topic as a URL reference against the hub's URL ("URL Pattern"). The fields of
// loc are undefined unless the topic was resolved.
func (r *resolver) resolve(topic string, loc *location) resolution {
	result := r.glance(topic, loc)
	if result == odd {
		result = r.parse(topic, loc)
	}
	return result
}

// glance resolves a plain topic, and calls any other odd or tooLong.
func (r *resolver) glance(topic string, loc *location) resolution {
	switch {
	case r.split(topic, loc):
		return resolved
	case len(topic) > maxDearTopic:
		return tooLong
	}
	return odd
}

// parse resolves a topic by means of the URL parser.
func (r *resolver) parse(topic string, loc *location) resolution {
	u, err := r.base.Parse(topic)
	if err != nil {
		return unparsable
	}
	loc.setURL(u)
	return resolved
}

// split is the short cut for references that the URL parser (URL Standard, section 4.4) would leave
// as they are: http and https URLs with a plain host, opaque URLs such as URNs, and references to
// a path. It reports false, which means nothing, for all others. A fuzz test holds it equal to the
// parser, which takes fifty times as long.
func (r *resolver) split(topic string, loc *location) bool {
	if topic == "" {
		return false
	}
	if topic[0] == '/' {
		if len(topic) > 1 && (topic[1] == '/' || topic[1] == '\\') {
			return false
		}
		return r.splitRelative("", topic, loc)
	}
	n := 0
	for n < len(topic) && isSchemeByte(topic[n]) {
		n++
	}
	if n == 0 || n == len(topic) || topic[n] != ':' || !isAlpha(topic[0]) {
		// A colon in the first segment may end an unusual scheme: that is left to the parser.
		first, _, _ := strings.Cut(topic, "/")
		return strings.IndexByte(first, ':') < 0 && r.splitRelative(r.dir, topic, loc)
	}
	switch scheme, rest := topic[:n], topic[n+1:]; scheme {
	case "http", "https":
		return strings.HasPrefix(rest, "//") && splitAbsolute(topic, n, loc)
	case "file", "ftp", "ws", "wss":
		return false
	default:
		return splitOpaque(scheme, rest, loc)
	}
}

// splitRelative resolves a reference that begins with a path, which dir completes.
func (r *resolver) splitRelative(dir, ref string, loc *location) bool {
	loc.components = r.hub.components
	end, ok := loc.splitTail(ref, 0, plainPath)
	if !ok || end == 0 {
		return false
	}
	loc.locator = r.origin + dir + ref[:end]
	loc.components[pathname] = loc.locator[len(r.origin):]
	return true
}

// splitAbsolute splits an http or https URL whose scheme is n bytes long.
func splitAbsolute(topic string, n int, loc *location) bool {
	start := n + len("://")
	i := strings.IndexByte(topic[start:], '/')
	if i < 0 {
		return false
	}
	host, portText, ok := splitHost(topic[start : start+i])
	if !ok || portText == "80" && n == len("http") || portText == "443" && n == len("https") {
		return false
	}
	end, ok := loc.splitTail(topic, start+i, plainPath)
	if !ok {
		return false
	}
	loc.components[protocol] = topic[:n]
	loc.components[username] = ""
	loc.components[password] = ""
	loc.components[hostname] = host
	loc.components[port] = portText
	loc.components[pathname] = topic[start+i : end]
	loc.locator = topic[:end]
	return true
}

// splitOpaque splits a URL whose path is opaque, given as what follows the colon.
func splitOpaque(scheme, rest string, loc *location) bool {
	if rest == "" || rest[0] == '/' {
		return false
	}
	end, ok := loc.splitTail(rest, 0, plainOpaque)
	if !ok {
		return false
	}
	loc.components[protocol] = scheme
	loc.components[username] = ""
	loc.components[password] = ""
	loc.components[hostname] = ""
	loc.components[port] = ""
	loc.components[pathname] = rest[:end]
	loc.setLocator()
	return true
}

// splitTail checks the path of s, which begins at start, and sets the search and hash that follow
// it. It returns the end of the path.
func (l *location) splitTail(s string, start int, path byteSet) (end int, ok bool) {
	end = start + plainLen(s[start:], path)
	if path == plainPath && hasDotSegment(s[start:end]) {
		return 0, false
	}
	rest := s[end:]
	l.components[search], l.components[hash] = "", ""
	if strings.HasPrefix(rest, "?") {
		n := plainLen(rest[1:], plainQuery)
		l.components[search], rest = rest[1:1+n], rest[1+n:]
	}
	if strings.HasPrefix(rest, "#") {
		n := plainLen(rest[1:], plainFragment)
		l.components[hash], rest = rest[1:1+n], rest[1+n:]
	}
	return end, rest == ""
}
