// Package sse is the hub's HTTP edge: publish, subscribe, preflight and health on fasthttp.
//
// A request is parsed, authorised and either answered (publish) or turned into a stream (subscribe): its
// connection is taken from fasthttp and given to a subscriber actor, which owns it from then on. A
// stream holds no goroutine and no buffer here. One poller watches the sockets of all streams for
// clients that hang up and for full sockets that have room again.
//
// Connections may begin with a TLS handshake, in which the client chooses its protocol. HTTP/1.1 is fasthttp's with TLS
// or without, and its streams are the poller's (sealed). HTTP/2 is the standard library's (http2Server): each of its
// requests is translated for the same handlers (exchange), and a stream is written by the goroutine of its request
// (multiplexed).
//
// Goroutines: fasthttp's, one for each connection that is not a stream; the poller's; for HTTP/2 two for each connection
// and one for each request, streams included. Server.Stop joins them, but for those of HTTP/2, which it has end.
//
// Tokens are read from headers, cookies and, in 0.x, the query; none is ever logged or echoed. A connection that
// publishes keeps its last Authorization header, to know it again (auth.Memo); the timeouts of its requests are
// exact to a second.
package sse
