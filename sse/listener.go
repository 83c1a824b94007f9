package sse

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"
)

// acceptPause is how long accepting pauses when the system has no room for a connection, such as too many open files.
const acceptPause = 100 * time.Millisecond

// freshPerCore is how many connections are accepted ahead of those who serve them, for each core. Each has a goroutine, whose
// stack grows, and a buffer; a storm of connects would have them by the hundred, and few are soon at hand again.
const freshPerCore = 16

// listener accepts connections and marks those over the limits. They are refused by an answer to their
// request: one that comes before it may never be read.
type listener struct {
	*acceptor
	server *Server
	// tls says that connections begin with a handshake.
	tls bool
	// ahead is how many fresh connections there may be.
	ahead int32
}

// Accept implements net.Listener. It fails when the listener is closed, and never else: fasthttp would accept nothing more.
func (l *listener) Accept() (net.Conn, error) {
	if l.tls {
		c := newSecure(l.server)
		return c, l.next(&c.c)
	}
	c := &conn{server: l.server}
	return c, l.next(c)
}

// next makes c the next connection.
func (l *listener) next(c *conn) error {
	for l.server.fresh.Load() >= l.ahead {
		runtime.Gosched() // as many goroutines are about to serve one
	}
	for full := false; ; {
		address, err := l.accept(&c.socket)
		switch {
		case err == nil:
			c.address = address
			c.fresh.Store(true)
			l.server.fresh.Add(1)
			c.refused = !l.server.connections.enter(c.address)
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded): // paused
			<-l.server.intake.opened()
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			if !full {
				l.server.o.Logger.Error("accepting connections failed, trying again", slog.Any("error", err))
			}
			full = true
			<-time.After(acceptPause)
		}
	}
}

// Close implements net.Listener. The server has closed it when it began to refuse connections.
func (l *listener) Close() error {
	_ = l.close()
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.acceptor.listener.Addr() }
