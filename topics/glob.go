package topics

import (
	"iter"
	"strings"
)

// A glob is the text of a URL Pattern component in which two control characters stand for groups:
// globAny for "*" and globSegment for ":name". Neither can occur in a component of a parsed URL,
// which the parser percent-encodes, so globs need no escapes.
const (
	globAny     = '\x00'
	globSegment = '\x01'

	anyGlob = string(rune(globAny)) // the glob of "*"
)

// parseGlob translates a component pattern string, in the canonical form that the library generates,
// into a glob. It reports false for everything that is not a plain sequence of literal text, ":name"
// and "*", or that glob matching would have to search for in more than one way.
func parseGlob(pattern string) (glob string, ok bool) {
	if pattern == "*" {
		return anyGlob, true // As most components are.
	}
	var b strings.Builder
	b.Grow(len(pattern))
	last := byte('/') // The previous byte of the glob; at the start, any literal.
	segments, anys := 0, 0
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c < ' ' || c > '~' || strings.IndexByte("(){}+?", c) >= 0:
			return "", false
		case c == '\\':
			i++
			if i == len(pattern) || strings.IndexByte(`\+*?(){}:`, pattern[i]) < 0 {
				return "", false
			}
			c = pattern[i]
		case c == '*':
			// After a group an asterisk is a modifier. Segments between two asterisks would have to
			// be tried in several places.
			if isGroup(last) || (anys > 0 && segments > 0) {
				return "", false
			}
			c = globAny
			anys++
			segments = 0
		case c == ':':
			n := nameLen(pattern[i+1:])
			if n == 0 || isGroup(last) {
				return "", false
			}
			i += n
			c = globSegment
			segments++
		}
		b.WriteByte(c)
		last = c
	}
	return b.String(), true
}

func isGroup(c byte) bool { return c == globAny || c == globSegment }

// nameLen returns the length of the ASCII group name at the start of s, or 0 if there is none or if
// it goes on with other letters, whose rules are left to the library.
func nameLen(s string) int {
	n := 0
	for n < len(s) && (isAlpha(s[n]) || n > 0 && (isDigit(s[n]) || s[n] == '_')) {
		n++
	}
	if n < len(s) && s[n] > '~' {
		return 0
	}
	return n
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// literals yields the literal parts of a glob.
func literals(glob string) iter.Seq[string] {
	return strings.FieldsFuncSeq(glob, func(r rune) bool { return r == globAny || r == globSegment })
}

// literalPrefix returns the text with which everything that the glob matches begins.
func literalPrefix(glob string) string {
	for i := range len(glob) {
		if isGroup(glob[i]) {
			return glob[:i]
		}
	}
	return glob
}

// matchGlob reports whether the glob matches all of s. A segment matches one or more bytes other than
// the delimiter; the delimiter 0 occurs nowhere and so bounds nothing.
//
// The text before the first asterisk is matched from the left and the text after the last one from
// the right, each as tightly as possible, which leaves most to the asterisks. Within such a run a
// segment ends at the first place where the literal text after it occurs: a later place would leave
// less to the next segment, and nothing but the text itself can hold a delimiter in between. Hence no
// backtracking is needed.
func matchGlob(glob, s string, delimiter byte) bool {
	first := strings.IndexByte(glob, globAny)
	if first < 0 {
		return matchRun(glob, s, delimiter)
	}
	s, ok := cutLeft(glob[:first], s, delimiter)
	if !ok {
		return false
	}
	last := strings.LastIndexByte(glob, globAny)
	s, ok = cutRight(glob[last+1:], s, delimiter)
	if !ok || first == last {
		return ok
	}
	for middle := range strings.SplitSeq(glob[first+1:last], anyGlob) {
		i := strings.Index(s, middle)
		if i < 0 {
			return false
		}
		s = s[i+len(middle):]
	}
	return true
}

// matchRun matches all of s with a run, which is a glob without asterisks.
func matchRun(run, s string, delimiter byte) bool {
	last := strings.LastIndexByte(run, globSegment)
	if last < 0 {
		return run == s
	}
	s, ok := strings.CutSuffix(s, run[last+1:])
	if !ok {
		return false
	}
	s, ok = cutLeft(run[:last], s, delimiter)
	return ok && s != "" && strings.IndexByte(s, delimiter) < 0
}

// cutLeft matches the start of s with a run as tightly as possible and returns what is left.
func cutLeft(run, s string, delimiter byte) (rest string, ok bool) {
	literal, run, more := strings.Cut(run, string(rune(globSegment)))
	if s, ok = strings.CutPrefix(s, literal); !ok {
		return "", false
	}
	for more {
		if s == "" {
			return "", false
		}
		literal, run, more = strings.Cut(run, string(rune(globSegment)))
		end := strings.IndexByte(s, delimiter)
		if end < 0 {
			end = len(s)
		}
		i := strings.Index(s[1:min(end+len(literal), len(s))], literal)
		if i < 0 {
			return "", false
		}
		s = s[1+i+len(literal):]
	}
	return s, true
}

// cutRight matches the end of s with a run as tightly as possible and returns what is left.
func cutRight(run, s string, delimiter byte) (rest string, ok bool) {
	for {
		i := strings.LastIndexByte(run, globSegment)
		if s, ok = strings.CutSuffix(s, run[i+1:]); i < 0 || !ok {
			return s, ok
		}
		run = run[:i]
		literal := run[strings.LastIndexByte(run, globSegment)+1:]
		run = run[:len(run)-len(literal)]
		start := strings.LastIndexByte(s, delimiter) + 1
		if start == len(s) {
			return "", false
		}
		start = max(start-len(literal), 0)
		j := strings.LastIndex(s[start:len(s)-1], literal)
		if j < 0 {
			return "", false
		}
		if s = s[:start+j]; run == "" {
			return s, true
		}
	}
}
