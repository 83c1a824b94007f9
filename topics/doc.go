// Package topics decides which topics a selector matches. It compiles the matchers of both protocol
// versions into selectors (Space, Selector), groups them (Set), finds the selectors that match a
// topic among thousands (Index), and remembers answers that are dear to compute (the selector cache).
//
// The package does no I/O and reads no clock. Its only goroutines are those of the selector cache,
// which NewSpace starts and Close joins. A Space, its Selectors and its Sets may be used from any
// goroutine; an Index belongs to one.
//
// # How a topic is matched
//
// Exact matchers compare bytes. URL patterns are compiled by the go-urlpattern library; the
// components of the result that consist of literal text, ":name" and "*" alone, which is nearly all
// of them, are kept as a glob of their canonical text and matched without regular expressions. A
// pattern with anything else (regular expressions, "{}" groups, modifiers) keeps the library's
// object. URI templates with plain {name} or {+name} expressions are matched the same way, all
// others by their regular expression. Fuzz tests hold the globs equal to the libraries.
//
// # Invariants
//
//   - Two selectors have the same Key if and only if their matchers are the same.
//   - An Index has one node for a matcher, however often it was added; a node is in one place only.
//   - Index.Lookup returns exactly the nodes whose selectors match, as if each had been asked alone.
//   - The cache keeps the full question with each answer and compares it, so a hash collision or an
//     eviction costs time and nothing else.
//   - Matching takes time linear in the topic (Go's regexp package is a port of RE2), and the size of
//     a compiled selector is bounded ("URL-Pattern Denial of Service").
//
// # Caveats
//
//   - Topics given to Match, Lookup and Reserved are expected to have passed mercure.CheckText.
//   - The URL parser takes time quadratic in the length of odd topics (long user names, thousands of
//     segments). One that needs the parser and is longer than 4096 bytes matches no URL pattern, as
//     "URL Pattern" permits, and counts as reserved. Plain URLs of any length take the short cut.
//   - The library lacks the newest regular expression syntax of JavaScript (lookahead, class set
//     operations); patterns that use it are rejected. It also takes "file" for a scheme without
//     special rules, so in a pattern for file URLs ":name" crosses slashes.
//   - A matcher whose protocol is given is absolute and is not resolved against the hub's URL. For
//     schemes without slashes this is the only way in which patterns such as "urn\:isbn\:*" can match.
package topics
