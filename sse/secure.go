package sse

import (
	"crypto/tls"
	"net"
	"time"
)

// recordBytes is the most that one record of TLS carries (RFC 8446, section 5.1). A stream is encrypted a record at a
// time, so that little more than one waits for a full socket.
const recordBytes = 16 << 10

// secure is an accepted connection over TLS. fasthttp serves requests on it as on any other, until one of them
// subscribes or the client has chosen HTTP/2.
//
// Its socket is not embedded: what a socket can do beyond a net.Conn, such as ReadFrom, would go around TLS.
type secure struct {
	c   conn
	tls *tls.Conn
	seal
}

// seal is what a stream over TLS has beside its connection; see sealed.
type seal struct {
	// detached diverts what TLS writes into out.
	detached bool
	// owed says that the last byte that TLS has taken was not reported as written.
	owed bool
	// out are encrypted bytes that the socket has not taken.
	out []byte
}

// newSecure makes a connection that is still to be accepted.
func newSecure(s *Server) *secure {
	c := &secure{c: conn{server: s}}
	c.tls = tls.Server((*wire)(c), s.o.TLS)
	return c
}

// Handshake makes fasthttp take the connection for one of TLS.
func (s *secure) Handshake() error {
	err := s.tls.Handshake()
	if err != nil {
		s.c.server.handshakeFailures.Add(1)
	}
	return err
}

// ConnectionState tells fasthttp the protocol that the client has chosen.
func (s *secure) ConnectionState() tls.ConnectionState { return s.tls.ConnectionState() }

func (s *secure) Read(p []byte) (int, error)         { return s.tls.Read(p) }
func (s *secure) Write(p []byte) (int, error)        { return s.tls.Write(p) }
func (s *secure) LocalAddr() net.Addr                { return s.c.LocalAddr() }
func (s *secure) RemoteAddr() net.Addr               { return s.c.RemoteAddr() }
func (s *secure) SetDeadline(t time.Time) error      { return s.c.SetDeadline(t) }
func (s *secure) SetReadDeadline(t time.Time) error  { return s.c.SetReadDeadline(t) }
func (s *secure) SetWriteDeadline(t time.Time) error { return s.c.SetWriteDeadline(t) }

// Close ends the connection, unless it belongs to a stream or to the server of HTTP/2.
func (s *secure) Close() error {
	if s.c.detached {
		return nil
	}
	if s.c.unread {
		_ = s.tls.CloseWrite() // tells the client that the end is meant
		s.c.linger()
	}
	return s.tls.Close()
}

func (s *secure) carrier() *conn { return &s.c }

// wire is a connection as TLS sees it: the socket, or for a stream what waits for the socket.
type wire secure

func (w *wire) Read(p []byte) (int, error) { return w.c.Read(p) }

func (w *wire) Write(p []byte) (int, error) {
	if w.seal.detached {
		w.out = append(w.out, p...)
		return len(p), nil
	}
	return w.c.Write(p)
}

func (w *wire) Close() error         { return w.c.finish() }
func (w *wire) LocalAddr() net.Addr  { return w.c.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr { return w.c.RemoteAddr() }

// SetDeadline sets that of the socket, whoever has the connection: the server of HTTP/2 has one that fasthttp has left.
func (w *wire) SetDeadline(t time.Time) error     { return w.c.socket.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error { return w.c.socket.SetReadDeadline(t) }

// SetWriteDeadline does nothing for a stream, whose writes never wait.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.seal.detached {
		return nil
	}
	return w.c.socket.SetWriteDeadline(t)
}
