package topics

import (
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// preparePattern makes the source of a URL pattern fit for the library. It rejects what would compile to
// something out of proportion, and spells group names as the library knows them.
//
// Its scan follows "tokenize" of the URL Pattern Standard (section 2.1.2). Most of what is malformed in
// the standard's sense is passed on for the library to reject.
func preparePattern(source string) (string, error) {
	var b strings.Builder
	size, groups, copied := 0, 0, 0
	for i := 0; i < len(source); {
		switch source[i] {
		case '\\':
			i += 2
		case '(':
			n := groupLen(source[i:])
			if n == 0 {
				return "", errURLPattern
			}
			size += regexpSize(source[i+1 : i+n-1])
			groups++
			i += n
		case ':':
			i++
			name := identifier(source[i:])
			if spelled := spellName(name); spelled != name {
				b.WriteString(source[copied:i])
				b.WriteString(spelled)
				copied = i + len(name)
			}
			i += len(name)
			groups++
		case '*', '{':
			groups++
			i++
		default:
			i++
		}
		if size > maxRegexp || groups > maxGroups {
			return "", errURLPatternSize
		}
	}
	if copied == 0 {
		return source, nil
	}
	b.WriteString(source[copied:])
	return b.String(), nil
}

// groupLen returns the length of the regular expression group at the start of s, parentheses included,
// or 0 if it does not end.
func groupLen(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// identifier returns the group name at the start of s. Names are identifiers of ECMAScript.
func identifier(s string) string {
	for i, r := range s {
		switch {
		case r == '$' || r == '_' || unicode.In(r, unicode.L, unicode.Nl, unicode.Other_ID_Start):
		case i > 0 && unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue):
		default:
			return s[:i]
		}
	}
	return s
}

// spellName spells a name without "$" and without "_" at its start, which the library does not take
// for parts of a name. Distinct names stay distinct but for contrived ones.
func spellName(name string) string {
	if strings.HasPrefix(name, "_") {
		name = "underscore" + name
	}
	return strings.ReplaceAll(name, "$", "dollar_")
}

// regexpSize estimates the number of instructions of a regular expression. The source of one that does
// not parse costs nothing: the library will reject it.
func regexpSize(source string) int {
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return 0
	}
	return treeSize(re)
}

func treeSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		// A class is one instruction, but that of a script or category is a table of some kilobytes.
		size += len(re.Rune) / 8
	}
	for _, sub := range re.Sub {
		size += treeSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return size
}

// truncate shortens s for a message.
func truncate(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
