// Package topics decides which topics a selector matches. It compiles the matchers of both protocol
// versions into selectors (Space, Selector), groups them (Set), finds the selectors that match a
// topic among thousands (Index), and remembers answers that are dear to find (the selector cache).
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
// object, and asks it when the globs of its other components match. URI templates whose expressions
// are all {name} or all {+name} are matched as globs, too, and all others by their regular expression.
//
// Plain topics are split, and plain patterns compiled, by short cuts. Fuzz tests hold each of them, the
// globs, and the whole of index and cache equal to what the libraries say alone.
//
// An Index looks literals up in a map. Patterns it finds by their literal text, wherever in the pattern
// that is (gramIndex), and asks only those whose text the topic has. The cache is asked where an answer
// takes the URL parser or the library: some ten microseconds instead of a fraction of one.
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
//   - A topic that takes the URL parser or a regular expression and is longer than 4096 bytes is held not
//     to match, as "URL Pattern" permits, and one that takes the parser to be reserved. Plain URLs of
//     any length are matched.
//   - The library lacks the newest regular expression syntax of JavaScript (lookahead, class set
//     operations); patterns that use it are rejected. It also takes "file" for a scheme without
//     special rules, so in a pattern for file URLs ":name" crosses slashes.
//   - A pattern that names its protocol is absolute and is not resolved against the hub's URL. Otherwise
//     patterns for schemes without slashes, such as "urn\:isbn\:*", could match nothing.
//   - A URL pattern that takes the library has at most 1024 bytes and 16 groups: the library's time grows with the square
//     of the length. A malicious one then takes about a millisecond to compile. A URI template that takes a regular
//     expression has at most 16 variables.
//   - A malicious selector and the longest topic take up to ten milliseconds to match.
package topics
