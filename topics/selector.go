package topics

import (
	"errors"

	"hubd/mercure"
)

// ErrSelector is wrapped by every error about a matcher that no selector can be made of. The message
// quotes the pattern and says what is wrong with it; it is fit to be sent to the client.
var ErrSelector = errors.New("invalid topic selector")

// selectorKind tells how a selector matches.
type selectorKind uint8

const (
	// matchesAll is the kind of "*", whatever the type of the matcher.
	matchesAll selectorKind = iota
	// matchesLiteral compares bytes: exact matchers, and 0.x selectors that are no templates.
	matchesLiteral
	matchesURL
	matchesTemplate
)

// Selector is a compiled matcher. It is made by Space.Compile, immutable, and safe for concurrent use.
type Selector struct {
	// key is a letter for the type of the matcher followed by the pattern.
	key  string
	typ  mercure.MatcherType
	kind selectorKind

	url      *urlPattern // for matchesURL
	template *template   // for matchesTemplate
}

// Matcher returns the matcher of which the selector was made.
func (s *Selector) Matcher() mercure.Matcher {
	return mercure.Matcher{Type: s.typ, Pattern: s.pattern()}
}

// Key identifies the matcher: two selectors have the same key if and only if type and pattern are the
// same. It has no control characters.
func (s *Selector) Key() string { return s.key }

func (s *Selector) pattern() string { return s.key[1:] }

// anchor returns the literal text of a URL pattern or template, for gramIndex.
func (s *Selector) anchor() string {
	if s.kind == matchesURL {
		return s.url.anchor()
	}
	return s.template.anchor()
}
