// Package mercure holds the nouns of the Mercure protocol and nothing else: the update that a
// publisher sends, the event that a hub stores and delivers, and the matcher that a subscriber names.
//
// It owns the character rules of both protocol versions and the encoding of an event as Server-Sent
// Events, which is done once for each update: every subscriber, the store and the ring of recent
// events share the same bytes. The package starts no goroutine, does no I/O and reads no clock.
//
// Two versions of the protocol are spoken at once. "1.0" is draft-dunglas-mercure-08, "0.x" is
// draft-dunglas-mercure-07; section names in comments are those of the former unless said otherwise.
package mercure
