// Package wire holds what the load program says and hears: the payload of a published update, the
// head of an HTTP response, the chunked coding, Server-Sent Events, and request templates whose
// numbers are changed in place.
//
// The parsers take bytes as they come from a socket, keep nothing of them, and allocate nothing for
// an event: the load program shares the machine with the hub, so what it spends is missing there.
// The package starts no goroutine, does no I/O and reads no clock.
//
// Caveats: an event stream is taken to end its lines with LF or CRLF. A bare CR, which the HTML Living
// Standard (section 9.2.6) also allows, is not seen as the end of a line; no hub writes one.
package wire
