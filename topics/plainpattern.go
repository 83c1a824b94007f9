package topics

import (
	"slices"
	"strings"
)

// plainURLPattern is the short cut for URL patterns in which the library has nothing to canonicalise:
// http and https URLs, or absolute paths, of plain text with ":name" and "*" in the path and "*." at the
// start of the host. It returns nil, which means nothing, for all others. hub is the pattern of which
// relative ones inherit the components before the path. A fuzz test holds the result equal to that of the
// library, which takes a hundred times as long.
func plainURLPattern(source string, hub *urlPattern) *urlPattern {
	globs := [componentCount]string{username: anyGlob, password: anyGlob, search: anyGlob, hash: anyGlob}
	path := source
	if source[0] == '/' {
		for i := protocol; i < pathname; i++ {
			globs[i] = hub.glob(i)
		}
	} else {
		scheme, rest, ok := strings.Cut(source, "://")
		slash := strings.IndexByte(rest, '/')
		if !ok || slash < 0 || scheme != "https" && scheme != "http" {
			return nil
		}
		authority, wild := strings.CutPrefix(rest[:slash], "*.")
		host, portText, ok := splitHost(authority)
		if !ok || portText == "443" && scheme == "https" || portText == "80" && scheme == "http" {
			return nil
		}
		if wild {
			host = anyGlob + "." + host
		}
		globs[protocol], globs[hostname], globs[port] = scheme, host, portText
		path = rest[slash:]
	}

	// A dollar sign may be part of a name.
	if plainLen(path, plainPath) < len(path) || strings.IndexByte(path, '$') >= 0 {
		return nil
	}
	glob, ok := parseGlob(path)
	if !ok || !distinctNames(path) {
		return nil
	}
	// The standard canonicalises the text between groups piece by piece, so "/.*" means "/*".
	for piece := range literals(glob) {
		if hasDotSegment(piece) {
			return nil
		}
	}
	globs[pathname] = glob
	return joinGlobs(&globs, 0)
}

// distinctNames reports whether no two groups of the pattern have the same name.
func distinctNames(pattern string) bool {
	var seen []string
	for _, rest, more := strings.Cut(pattern, ":"); more; _, rest, more = strings.Cut(rest, ":") {
		name := rest[:nameLen(rest)]
		if slices.Contains(seen, name) {
			return false
		}
		seen = append(seen, name)
	}
	return true
}
