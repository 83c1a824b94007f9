// Package sse is the hub's HTTP edge: publish, subscribe, preflight and health on fasthttp.
//
// A request is parsed, authorised and either answered (publish) or turned into a stream (subscribe): its
// connection is taken from fasthttp and given to a subscriber actor, which owns it from then on. A
// stream holds no goroutine and no buffer here. One poller watches the sockets of all streams for
// clients that hang up and for full sockets that have room again.
//
// Goroutines: fasthttp's, one for each connection that is not a stream, and the poller's. Server.Stop
// joins them.
//
// Tokens are read from headers, cookies and, in 0.x, the query; none is ever logged or echoed. A connection that
// publishes keeps its last Authorization header, to know it again (auth.Memo); the timeouts of its requests are
// exact to a second.
package sse
