package topics

import (
	"fmt"
	"strings"

	"hubd/mercure"
)

// Space compiles selectors for one hub and matches them. It is safe for concurrent use.
type Space struct {
	base       string
	resolver   *resolver
	hubPath    string
	maxPattern int
	hub        *urlPattern // "/" at the hub, from which relative patterns inherit
	interned   interned
	cache      *cache // nil if it is turned off
}

// NewSpace returns a Space for the hub that the options describe. Close must be called to release it.
func NewSpace(o Options) (*Space, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	base, err := o.base()
	if err != nil {
		return nil, err
	}
	s := &Space{
		base:       o.BaseURL,
		resolver:   newResolver(base),
		hubPath:    decodeUnreserved(base.Pathname()),
		maxPattern: o.maxPattern(),
	}
	if s.hub, err = newURLPattern("/", s.base); err != nil {
		return nil, fmt.Errorf("%w: BaseURL %q as the base of a URL pattern: %w", ErrOptions, o.BaseURL, err)
	}
	if o.CacheBytes > 0 {
		if s.cache, err = newCache(o.CacheBytes); err != nil {
			return nil, fmt.Errorf("creating the selector cache: %w", err)
		}
	}
	return s, nil
}

// Close releases the selector cache and joins its goroutines. It is idempotent. Matching goes on
// without a cache afterwards.
func (s *Space) Close() {
	if s.cache != nil {
		s.cache.close()
	}
}

// CacheStats returns the counters of the selector cache, all zero if it is turned off.
func (s *Space) CacheStats() CacheStats {
	if s.cache == nil {
		return CacheStats{}
	}
	return s.cache.stats()
}

// Compile makes a selector of the matcher ("Matcher Types"). Selectors of equal patterns are shared
// while they are in use. Errors wrap ErrSelector, and also mercure.ErrText for forbidden characters.
func (s *Space) Compile(m mercure.Matcher) (*Selector, error) {
	switch {
	case m.Pattern == "":
		return nil, fmt.Errorf("%w: the pattern is empty", ErrSelector)
	case len(m.Pattern) > s.maxPattern:
		return nil, fmt.Errorf("%w %q: the pattern has %d bytes, more than %d", ErrSelector, truncate(m.Pattern), len(m.Pattern), s.maxPattern)
	}
	interning := m.Pattern != mercure.Wildcard &&
		(m.Type == mercure.URLPattern || m.Type == mercure.Template && strings.IndexByte(m.Pattern, '{') >= 0)
	if interning {
		if sel := s.interned.get(m); sel != nil {
			return sel, nil
		}
	}
	if err := mercure.CheckText(m.Pattern); err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrSelector, truncate(m.Pattern), err)
	}
	sel, err := s.compile(m)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrSelector, truncate(m.Pattern), err)
	}
	if interning {
		sel = s.interned.add(sel)
	}
	return sel, nil
}

func (s *Space) compile(m mercure.Matcher) (*Selector, error) {
	sel := &Selector{typ: m.Type, kind: matchesLiteral}
	var err error
	switch m.Type {
	case mercure.Exact:
		sel.key = "e" + m.Pattern
	case mercure.URLPattern:
		sel.key = "u" + m.Pattern
		if m.Pattern != mercure.Wildcard {
			sel.kind = matchesURL
			if sel.url = plainURLPattern(sel.pattern(), s.hub); sel.url == nil {
				sel.url, err = newURLPattern(sel.pattern(), s.base)
			}
		}
	case mercure.Template:
		sel.key = "t" + m.Pattern
		if isTemplate(m.Pattern) {
			sel.kind = matchesTemplate
			sel.template, err = newTemplate(sel.pattern())
		}
	default:
		return nil, fmt.Errorf("matcher type %d is not known", m.Type)
	}
	if err != nil {
		return nil, err
	}
	if m.Pattern == mercure.Wildcard {
		// "Matcher Types": the wildcard is recognised before the type is looked at.
		sel.kind = matchesAll
	}
	return sel, nil
}

// Match reports whether the selector matches the topic. A matcher's pattern may stand for a topic
// ("Payloads").
func (s *Space) Match(sel *Selector, topic string) bool {
	sub := subject{topic: topic}
	return s.match(sel, &sub)
}

// subject is a topic under consideration, with what is found out about it on the way.
type subject struct {
	topic      string
	resolution resolution
	location   location // valid if resolution is resolved
}

// resolve resolves the topic, at most once.
func (s *Space) resolve(sub *subject) bool {
	switch sub.resolution {
	case unresolved:
		sub.resolution = s.resolver.resolve(sub.topic, &sub.location)
	case odd:
		sub.resolution = s.resolver.parse(sub.topic, &sub.location)
	}
	return sub.resolution == resolved
}

func (s *Space) match(sel *Selector, sub *subject) bool {
	switch sel.kind {
	case matchesAll:
		return true
	case matchesLiteral:
		return sel.pattern() == sub.topic
	case matchesTemplate:
		// "Topic Selectors" of 0.x, step 2: a template matches itself.
		return sel.pattern() == sub.topic || sel.template.match(sub.topic)
	}
	return s.matchURL(sel, sub)
}

// matchURL asks the cache if the answer takes the URL parser or the library; both are some fifty times
// as dear as globs.
func (s *Space) matchURL(sel *Selector, sub *subject) bool {
	if sub.resolution == unresolved {
		sub.resolution = s.resolver.glance(sub.topic, &sub.location)
	}
	switch sub.resolution {
	case odd:
	case resolved:
		if match := sel.url.match(&sub.location); !match || sel.url.library == nil {
			return match
		}
		if len(sub.topic) > maxDearTopic {
			return false
		}
	default:
		return false
	}
	if s.cache == nil {
		return s.evaluate(sel, sub)
	}
	hash := s.cache.hash(sel.key, sub.topic)
	match, found := s.cache.get(hash, sel.key, sub.topic)
	if !found {
		match = s.evaluate(sel, sub)
		s.cache.put(hash, sel.key, sub.topic, match)
	}
	return match
}

// evaluate matches a URL pattern without the cache.
func (s *Space) evaluate(sel *Selector, sub *subject) bool {
	if !s.resolve(sub) || !sel.url.match(&sub.location) {
		return false
	}
	switch topic := sub.topic; {
	case sel.url.library == nil:
		return true
	case strings.HasPrefix(topic, "https://") || strings.HasPrefix(topic, "http://"):
		// The base has no part in it, and the library would parse it each time.
		return sel.url.library.Test(topic, "")
	default:
		return sel.url.library.Test(topic, s.base)
	}
}
