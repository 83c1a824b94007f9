// Package auth decides what a token allows: it checks the signature and the claims, and turns them
// into a Grant that says which topics its bearer may publish to and which private updates it may
// receive. It is the only importer of libraries for JWT and JWK, and uses them for signatures and for
// reading keys alone.
//
// Two dialects of tokens are spoken, and a token is never tried under both:
//
//	typ is at+jwt          1.0: RFC 9068 access token with authorization details (RFC 9396)
//	a claim named mercure  0.x: lists of topic selectors
//	anything else          refused
//
// The order of the checks is an invariant: nothing but the JOSE header and, in 1.0, "iss" is read before
// the signature is verified. The configuration gives keys to the endpoint's role: those of the hub for 0.x, in
// 1.0 those of the issuer that "iss" names. Each key has its algorithms. The token can choose among these keys
// ("kid"); it never brings a key, an algorithm or an address.
//
// Keys are configured, or are those of a key set by URL. A set is fetched in the background, the last
// good one is used for as long as no newer one can be had, and a token is called invalid for its unknown
// key only by a set that is fresh: until then it is ErrKeysUnavailable. When a set changes, all
// remembered grants are void, so a key that left it is refused from then on; streams that are open
// end when their tokens expire.
//
// A token is accepted whole or not at all. One selector that cannot be read refuses it, because to
// leave the selector out would alter what the issuer granted ("Authorization Details").
//
// Grants of valid tokens are remembered, bounded, until they expire or make room. The cache holds
// digests of tokens, not tokens; a Memo, which belongs to one connection, holds the last header that came over
// it. What either remembers counts only for the role, the audience and the generation of the keys that it was
// verified for. Errors hold neither tokens nor keys; all that they quote of a token is
// a selector that cannot be compiled, once the signature has been verified. So they are fit for a
// log at the debug level. They say why a token was refused, so they are not fit for its bearer
// ("Error Responses").
//
// A Verifier has one goroutine for each location of a key set, which fetches the set and nothing else, and which
// Close joins; without key sets it has none and does no I/O. Verify takes no lock across I/O. It may wait
// for a fetch, bounded in time and number, but not where the token is remembered or its key is known.
//
// The clock is a parameter, except for the pauses between fetches. There is no leeway for
// clocks that differ: a stream must end no later than the token does ("Subscribers"), so "exp"
// cannot have any, and issuers in use have got along without since 0.x.
package auth
