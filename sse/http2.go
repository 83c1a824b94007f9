package sse

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of one HTTP/2 connection. What a client may send ahead is small, because only bodies of updates are sent.
const (
	defaultHTTP2Streams = 250
	http2Window         = 256 << 10
	http2StreamWindow   = 64 << 10
	// smallBody is a body that may always be read; of larger ones largeBodies are read at a time on a connection, which
	// bounds what a connection may hold: its streams x smallBody + largeBodies x the longest body.
	smallBody   = 16 << 10
	largeBodies = 8
)

// http2Server serves the connections whose clients have chosen HTTP/2 (RFC 9113) in their handshake. The protocol is the
// standard library's: fasthttp has none. Abuse such as streams that are opened and reset at once, floods of settings,
// pings and continuations is bounded there.
//
// Requests are answered by the handlers of fasthttp; see exchange. A stream has a goroutine, that of its request.
type http2Server struct {
	server  *Server
	http    *http.Server
	handoff *handoff
	served  chan error

	// retire is called once; retired is closed when every connection has ended, or cancel was called.
	retire  sync.Once
	retired chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
}

func newHTTP2Server(s *Server) *http2Server {
	h := &http2Server{server: s, handoff: newHandoff(s.o.TLSListener.Addr()), served: make(chan error, 1), retired: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	streams := s.o.HTTP2Streams
	if streams <= 0 {
		streams = defaultHTTP2Streams
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	h.http = &http.Server{
		Handler:        h,
		Protocols:      protocols,
		MaxHeaderBytes: headBytes,
		ReadTimeout:    readTimeout, // of each request; a stream lifts it
		IdleTimeout:    idleTimeout,
		ErrorLog:       log.New(io.Discard, "", 0), // every line of it is about one client's broken connection
		ConnContext:    withPeer,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams, MaxReceiveBufferPerConnection: http2Window, MaxReceiveBufferPerStream: http2StreamWindow,
			// A connection that takes nothing ends later than its streams, each of which has a reason of its own.
			WriteByteTimeout: s.o.UserTimeout / 2,
		},
	}
	return h
}

func (h *http2Server) start() {
	go func() { h.served <- h.http.Serve(h.handoff) }()
}

// stopAccepting tells every client to make its next request on another connection (GOAWAY, RFC 9113, section 6.8).
// Streams that are open go on.
func (h *http2Server) stopAccepting() {
	h.retire.Do(func() {
		go func() {
			defer close(h.retired)
			_ = h.http.Shutdown(h.ctx)
		}()
	})
}

// stop lets requests under way finish until ctx ends and ends the connections.
func (h *http2Server) stop(ctx context.Context) error {
	h.stopAccepting()
	defer context.AfterFunc(ctx, h.cancel)()
	<-h.retired
	h.cancel()
	_ = h.http.Close()
	return ctx.Err()
}

// take is what fasthttp calls with a connection whose client has chosen HTTP/2.
func (h *http2Server) take(c net.Conn) error {
	s := c.(*secure)
	s.c.detached = true // from fasthttp, which closes what it has handed over
	if h.handoff.give(s.tls) {
		return nil
	}
	s.c.detached = false
	return net.ErrClosed
}

// handoff is the listener of a server whose connections come from another one.
type handoff struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandoff(addr net.Addr) *handoff {
	return &handoff{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *handoff) give(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.closed:
		return false
	}
}

// Accept implements net.Listener.
func (l *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *handoff) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *handoff) Addr() net.Addr { return l.addr }

// peer is an HTTP/2 connection.
type peer struct {
	conn *conn
	// large has a place for each large body that is being read.
	large chan struct{}
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	w := c.(*tls.Conn).NetConn().(*wire)
	return context.WithValue(ctx, peerKey{}, &peer{conn: &w.c, large: make(chan struct{}, largeBodies)})
}

// ServeHTTP implements http.Handler.
func (h *http2Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := h.answer(w, r); s != nil {
		s.run(r.Context())
	}
}

// answer answers the request, or returns the stream that it has become. What it needed for that is garbage afterwards.
func (h *http2Server) answer(w http.ResponseWriter, r *http.Request) *multiplexed {
	e := &exchange{peer: r.Context().Value(peerKey{}).(*peer), writer: w}
	ctx, release := h.read(e, r)
	defer release()
	switch {
	case e.stream != nil:
		return e.stream
	case ctx.Hijacked():
		panic(http.ErrAbortHandler) // no answer, as drop has it
	}
	control := http.NewResponseController(w)
	// A client that does not make room for the answer must not hold it for ever.
	_ = control.SetWriteDeadline(time.Now().Add(readTimeout))
	e.reply(ctx)
	return nil
}
