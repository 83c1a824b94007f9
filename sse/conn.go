package sse

import (
	"errors"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// conn is an accepted connection. fasthttp serves requests on it until one of them subscribes; then it is
// detached: fasthttp can neither answer nor close it any more, so that its buffers go back to their pools, and
// the connection belongs to a subscriber.
//
// After detach one goroutine at a time writes and closes, so the descriptor cannot be another's.
type conn struct {
	socket
	server *Server

	// slot is the place of a detached connection with the poller.
	slot slot
	// full says that a write filled the socket, so that room is worth a message.
	full   atomic.Bool
	closed atomic.Bool
	// filled says that a write has filled the socket before: the poller looks for room.
	filled bool
	// fresh says that nobody has begun to serve the connection.
	fresh atomic.Bool

	// refused says that the connection is over a limit: its first request is answered 429.
	refused  bool
	detached bool
	// unread says that the client may still be sending when it is answered.
	unread bool
	// subscriber is told of what the poller sees; set before the poller knows the connection.
	subscriber watcher
	// address is the remote IP address, for the limit of connections.
	address netip.Addr
	// publisher is set by the first publish.
	publisher *publisher
}

func (c *conn) carrier() *conn { return c }

// connection returns the connection that carries the request, nil if it is none of the server's.
func connection(ctx *fasthttp.RequestCtx) *conn {
	if c, ok := ctx.Conn().(interface{ carrier() *conn }); ok {
		return c.carrier()
	}
	return nil
}

// publishing returns the connection if its requests come one after the other, and nil otherwise.
func publishing(ctx *fasthttp.RequestCtx) *conn {
	if _, many := ctx.Conn().(*exchange); many {
		return nil
	}
	return connection(ctx)
}

// encrypted reports whether the request came over TLS.
func encrypted(ctx *fasthttp.RequestCtx) bool {
	switch ctx.Conn().(type) {
	case *secure, *exchange:
		return true
	}
	return false
}

// watcher is the part of a subscriber that the poller speaks to.
type watcher interface {
	Hangup()
	Writable()
}

// Close ends the connection, unless it belongs to a stream: fasthttp closes what it leaves.
func (c *conn) Close() error {
	if c.detached {
		return nil
	}
	if c.unread {
		c.linger()
	}
	return c.finish()
}

// linger ends what the hub sends and reads on until the client ends too, for lingerTime at most. A socket that is closed
// with bytes unread resets the connection, and the answer may be lost on a client that is still sending (RFC 9112,
// section 9.6).
func (c *conn) linger() {
	if c.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, &c.socket) // whatever ends it, the connection is closed
}

// errDetached makes fasthttp leave a detached connection. It reads like the end of a client's connection, which fasthttp
// passes over.
var errDetached = errors.New("connection belongs to a stream: broken pipe")

// begun notes that the connection is being served, or is over.
func (c *conn) begun() {
	if c.fresh.Load() && c.fresh.CompareAndSwap(true, false) {
		c.server.fresh.Add(-1)
	}
}

func (c *conn) finish() error {
	c.begun()
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if !c.refused {
		c.server.connections.leave(c.address)
	}
	return c.socket.Close()
}
