package topics

import (
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/yosida95/uritemplate/v3"
)

// maxVariables bounds a template's regular expression, of which a part repeats for each variable. Above
// a thousand the library panics, because Go's regular expressions do not repeat more. At this bound a malicious template
// takes some milliseconds to match with the longest topic.
const maxVariables = 16

var errTemplateSize = errors.New("the URI template has too many variables")

// expressionMark stands for an expression in template.runs. It is a control character, which no
// template holds.
const expressionMark = "\x00"

// template is a compiled URI template (RFC 6570) that has expressions. It says which strings may be
// expansions of it; that a string equal to the template also matches is a rule of selectors ("Topic
// Selectors" of 0.x).
type template struct {
	raw string
	// runs is the template with a mark in place of each expression. It is empty where the expressions
	// are not all of one simple kind; then a regular expression is needed.
	runs string
	// set is what the expressions expand to, besides percent-encoded bytes; only for runs.
	set byteSet

	// The regular expression is compiled on first use: an index tells most templates apart by their
	// literal text, so theirs is never needed.
	once sync.Once
	re   *regexp.Regexp
}

// isTemplate reports whether raw is a valid URI template with expressions. Anything else matches
// nothing but itself.
func isTemplate(raw string) bool {
	if strings.IndexByte(raw, '{') < 0 {
		return false
	}
	_, err := uritemplate.New(raw)
	return err == nil
}

// newTemplate compiles raw, for which isTemplate must hold.
func newTemplate(raw string) (*template, error) {
	t := &template{raw: raw}
	if t.parseRuns() {
		return t, nil
	}
	if strings.Count(raw, "{")+strings.Count(raw, ",") > maxVariables {
		return nil, errTemplateSize
	}
	return t, nil
}

// parseRuns sets runs if all expressions are of the form {name}, or all of the form {+name}.
func (t *template) parseRuns() bool {
	var runs strings.Builder
	runs.Grow(len(t.raw))
	literal, rest, _ := strings.Cut(t.raw, "{")
	runs.WriteString(literal)
	for more := true; more; {
		var expression string
		expression, rest, _ = strings.Cut(rest, "}")
		name, plus := strings.CutPrefix(expression, "+")
		set := expandSimple
		if plus {
			set = expandReserved
		}
		if t.set != 0 && t.set != set || strings.IndexByte("#./;?&", name[0]) >= 0 || strings.ContainsAny(name, ",:*") {
			return false
		}
		runs.WriteString(expressionMark)
		t.set = set
		literal, rest, more = strings.Cut(rest, "{")
		runs.WriteString(literal)
	}
	t.runs = runs.String()
	return true
}

// match reports whether s may be an expansion of the template.
func (t *template) match(s string) bool {
	if t.runs != "" {
		return t.matchRuns(s)
	}
	prefix, suffix := t.ends()
	if len(s) > maxDearTopic || !strings.HasPrefix(s, prefix) || !strings.HasSuffix(s, suffix) {
		return false
	}
	t.once.Do(func() {
		if parsed, err := uritemplate.New(t.raw); err == nil {
			t.re = parsed.Regexp()
		}
	})
	return t.re != nil && t.re.MatchString(s)
}

// matchRuns matches s without backtracking. An expression ends at the first place where the literal
// text after it occurs: a later place would leave less to the expressions that follow, which take the
// same characters, and a literal text with other characters occurs in one place only.
func (t *template) matchRuns(s string) bool {
	literal, runs, _ := strings.Cut(t.runs, expressionMark)
	s, ok := strings.CutPrefix(s, literal)
	if !ok {
		return false
	}
	last := strings.LastIndex(runs, expressionMark)
	if s, ok = strings.CutSuffix(s, runs[last+1:]); !ok {
		return false
	}
	if last >= 0 {
		for literal := range strings.SplitSeq(runs[:last], expressionMark) {
			for !strings.HasPrefix(s, literal) {
				n := t.set.expansionLen(s)
				if n == 0 {
					return false
				}
				s = s[n:]
			}
			s = s[len(literal):]
		}
	}
	for s != "" {
		n := t.set.expansionLen(s)
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

// expansionLen returns the length of the byte of the set or the percent-encoded byte at the start of
// s, or 0 if there is neither.
func (set byteSet) expansionLen(s string) int {
	switch {
	case s == "":
		return 0
	case set.has(s[0]):
		return 1
	case len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2]):
		return 3
	}
	return 0
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// ends returns the text with which all expansions begin and that with which they end.
func (t *template) ends() (prefix, suffix string) {
	return t.raw[:strings.IndexByte(t.raw, '{')], t.raw[strings.LastIndexByte(t.raw, '}')+1:]
}

// anchor returns the literal text of the template, which is in the template itself, too.
func (t *template) anchor() string {
	var b strings.Builder
	b.WriteString(anchorStart)
	literal, rest, more := strings.Cut(t.raw, "{")
	for b.WriteString(literal); more; b.WriteString(literal) {
		b.WriteString(anyGlob)
		_, rest, _ = strings.Cut(rest, "}")
		literal, rest, more = strings.Cut(rest, "{")
	}
	b.WriteString(anchorEnd)
	return b.String()
}
