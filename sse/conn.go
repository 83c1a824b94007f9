package sse

import (
	"errors"
	"net"
	"sync/atomic"
)

// conn is an accepted connection. fasthttp serves requests on it until one of them subscribes; then it is
// detached: fasthttp's Close does nothing any more, so that its buffers go back to their pools, and
// the connection belongs to a subscriber.
//
// After detach one goroutine at a time writes and closes, so the descriptor cannot be another's.
type conn struct {
	*net.TCPConn
	server *Server
	// address is the remote IP address, for the limit of connections.
	address string

	detached bool
	// fd is the socket of a detached connection, and slot its place with the poller.
	fd   int
	slot slot

	// subscriber is told of what the poller sees; set before the poller knows the connection.
	subscriber watcher
	// full says that a write filled the socket, so that room is worth a message.
	full   atomic.Bool
	closed atomic.Bool
}

// watcher is the part of a subscriber that the poller speaks to.
type watcher interface {
	Hangup()
	Writable()
}

// Close ends the connection, unless it belongs to a stream: fasthttp closes what it hands over.
func (c *conn) Close() error {
	if c.detached {
		return nil
	}
	return c.finish()
}

func (c *conn) finish() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	c.server.connections.leave(c.address)
	return c.TCPConn.Close()
}

// listener accepts connections and refuses those over the limits.
type listener struct {
	*net.TCPListener
	server *Server
}

// Close implements net.Listener. The server has closed it when it began to refuse connections.
func (l *listener) Close() error {
	if err := l.TCPListener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		tcp, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		address := tcp.RemoteAddr().(*net.TCPAddr).IP.String()
		if l.server.connections.enter(address) {
			return &conn{TCPConn: tcp, server: l.server, address: address}, nil
		}
		// The socket is new and its buffer empty, so this cannot block.
		_, _ = tcp.Write([]byte(tooMany))
		_ = tcp.Close()
	}
}

const tooMany = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Retry-After: 5\r\nConnection: close\r\nContent-Length: 21\r\n\r\ntoo many connections\n"
