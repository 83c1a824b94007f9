package topics

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"

	"github.com/dunglas/go-urlpattern"
)

const (
	// maxGroups bounds the groups of a pattern that takes the library, whose regular expressions keep
	// the bounds of each group in each of their threads.
	maxGroups = 16
	// maxDearPattern bounds a pattern that takes the library, in bytes. The library's time grows with the square of the
	// length: at this bound a malicious pattern takes it about a millisecond to compile, at four times as much eight.
	maxDearPattern = 1024
	// maxRegexp bounds the compiled size of the regular expressions in a pattern, in instructions.
	// Counted repetition makes a few bytes of source a thousand times as large.
	maxRegexp = 500
)

var (
	errURLPattern     = errors.New("not a well-formed URL pattern")
	errURLPatternSize = errors.New("the URL pattern is too complex")
	errURLPatternLong = fmt.Errorf("%w: one with more than plain text, \":name\" and \"*\" has at most %d bytes", errURLPatternSize, maxDearPattern)
)

// componentSet is a set of components, bit by bit in their order.
type componentSet uint8

func (set componentSet) has(component int) bool { return set&(1<<component) != 0 }

// urlPattern is a compiled URL Pattern ("URL Pattern").
type urlPattern struct {
	// text holds the glob of each component, one after the other; component i ends at ends[i]. Of a
	// component in involved, only the literal prefix is there.
	text string
	ends [componentCount]uint32

	anything componentSet // components that are "*"
	literal  componentSet // components without groups
	involved componentSet // components that no glob describes

	// delimiter bounds the segments of the path: a slash, or none if paths of the scheme are opaque.
	delimiter byte

	// library decides when the globs match and involved is not empty; else it is nil.
	library *urlpattern.URLPattern
}

// newURLPattern compiles the pattern against the hub's URL by means of the library.
func newURLPattern(source, base string) (*urlPattern, error) {
	if len(source) > maxDearPattern {
		return nil, errURLPatternLong
	}
	pattern, err := preparePattern(source)
	if err != nil {
		return nil, err
	}
	parsed, err := parseURLPattern(pattern, "")
	if errors.Is(err, urlpattern.ErrNoBaseURL) {
		parsed, err = parseURLPattern(pattern, base)
	}
	if err != nil {
		return nil, err
	}

	components := [componentCount]string{
		parsed.Protocol(), parsed.Username(), parsed.Password(), parsed.Hostname(),
		parsed.Port(), parsed.Pathname(), parsed.Search(), parsed.Hash(),
	}
	var globs [componentCount]string
	var involved componentSet
	for i, component := range components {
		glob, ok := parseGlob(component)
		if !ok {
			glob = involvedPrefix(component)
			involved |= 1 << i
		}
		globs[i] = glob
	}
	u := joinGlobs(&globs, involved)
	if involved != 0 {
		u.library = parsed
	}
	return u, nil
}

// joinGlobs makes a pattern of its components' globs.
func joinGlobs(globs *[componentCount]string, involved componentSet) *urlPattern {
	u := &urlPattern{involved: involved}
	size := 0
	for i, glob := range globs {
		switch {
		case involved.has(i):
		case glob == anyGlob:
			u.anything |= 1 << i
		case literalPrefix(glob) == glob:
			u.literal |= 1 << i
		}
		size += len(glob)
		u.ends[i] = uint32(size)
	}
	u.text = strings.Join(globs[:], "")
	u.setDelimiter()
	return u
}

// setDelimiter finds out how the library compiled the path. Where the protocol is involved it is not
// known, and no delimiter makes for the weaker condition.
func (u *urlPattern) setDelimiter() {
	if u.involved.has(protocol) {
		return
	}
	for _, scheme := range [...]string{"https", "http", "wss", "ws", "ftp"} {
		if matchGlob(u.glob(protocol), scheme, 0) {
			u.delimiter = '/'
			return
		}
	}
}

// glob returns the glob of a component.
func (u *urlPattern) glob(component int) string {
	start := uint32(0)
	if component > 0 {
		start = u.ends[component-1]
	}
	return u.text[start:u.ends[component]]
}

// match reports whether the globs match the location. If there are involved components, this is a
// necessary condition only.
func (u *urlPattern) match(l *location) bool {
	skip := u.anything | u.involved
	// The path first, as it tells most patterns apart.
	for _, i := range [...]int{pathname, hostname, search, hash, protocol, port, username, password} {
		if skip.has(i) {
			continue
		}
		glob, s := u.glob(i), l.components[i]
		if u.literal.has(i) {
			if glob != s {
				return false
			}
			continue
		}
		var delimiter byte
		switch i {
		case pathname:
			delimiter = u.delimiter
		case hostname:
			delimiter = '.'
		}
		if !matchGlob(glob, s, delimiter) {
			return false
		}
	}
	return true
}

// anchor returns the literal text of the locators that match.
func (u *urlPattern) anchor() string {
	var b strings.Builder
	b.WriteString(anchorStart)
	for i := range componentCount {
		switch i {
		case hostname:
			b.WriteString("://")
		case port:
			if glob := u.glob(i); u.literal.has(i) && glob != "" {
				b.WriteString(":" + glob)
			} else if !u.literal.has(i) {
				b.WriteString(anyGlob)
			}
			continue
		case username, password, search, hash:
			continue
		}
		b.WriteString(u.glob(i))
		if u.involved.has(i) {
			b.WriteString(anyGlob)
		}
	}
	b.WriteString(anchorEnd)
	return b.String()
}

// involvedPrefix returns the literal text at the start of a component pattern string that is certain to
// belong to everything it matches.
func involvedPrefix(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if strings.IndexByte("(){}*:", pattern[i]) >= 0 {
			break
		}
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		b.WriteByte(pattern[i])
	}
	// A slash before a group belongs to the group, which may be optional.
	return strings.TrimSuffix(b.String(), "/")
}

// parseURLPattern calls the library.
func parseURLPattern(pattern, base string) (parsed *urlpattern.URLPattern, err error) {
	// The library slices out of range where the text after a group climbs out of the path, as in
	// "https://h/*a/../..", which the standard leaves undefined.
	defer func() {
		if recover() != nil {
			parsed, err = nil, errURLPattern
		}
	}()
	parsed, err = urlpattern.New(pattern, base, nil)
	var invalid *syntax.Error
	switch {
	case err == nil, errors.Is(err, urlpattern.ErrNoBaseURL):
		return parsed, err
	case errors.Is(err, urlpattern.ErrDuplicatePartName):
		return nil, fmt.Errorf("%w: two groups have the same name", errURLPattern)
	case errors.As(err, &invalid):
		return nil, fmt.Errorf("%w: %w", errURLPattern, invalid)
	}
	// The library's other messages dump its state.
	return nil, errURLPattern
}
