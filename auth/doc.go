// Package auth decides what a token allows: it checks the signature and the claims, and turns them
// into a Grant that says which topics its bearer may publish to and which private updates it may
// receive. It is the only importer of a JWT library, and uses that for signatures alone.
//
// Two dialects of tokens are spoken, and a token is never tried under both:
//
//	typ is at+jwt          1.0: RFC 9068 access token with authorization details (RFC 9396)
//	a claim named mercure  0.x: lists of topic selectors
//	anything else          refused
//
// The order of the checks is an invariant: nothing but the JOSE header is read before the signature
// is verified, with the key and the algorithm that the configuration gives to the endpoint's role.
// The header can only fail that check; it never brings a key or chooses an algorithm.
//
// A token is accepted whole or not at all. One selector that cannot be read refuses it, because to
// leave the selector out would alter what the issuer granted ("Authorization Details").
//
// Grants of valid tokens are remembered, bounded, until they expire or make room. The cache holds
// digests of tokens, not tokens. Errors hold neither tokens nor keys; all that they quote of a token is
// a selector that cannot be compiled, once the signature has been verified. So they are fit for a
// log at the debug level. They say why a token was refused, so they are not fit for its bearer
// ("Error Responses").
//
// The package starts no goroutine and does no I/O. The clock is a parameter. There is no leeway for
// clocks that differ: a stream must end no later than the token does ("Subscribers"), so "exp"
// cannot have any, and issuers in use have got along without since 0.x.
package auth
