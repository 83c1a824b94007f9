package sse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"hubd/actors"
	"hubd/auth"
	"hubd/mercure"
)

// Path is the hub's path, and that of the namespace reserved for the hub's own topics.
const Path = "/.well-known/mercure"

const healthPath = "/healthz"

// ErrUnavailable is wrapped by the errors of a Hub that cannot serve now, as while it changes hands.
var ErrUnavailable = errors.New("hub is not ready")

// Hub is what the edge needs of the live half. actors.Hub is one.
type Hub interface {
	// Publish makes a valid update durable and returns its id.
	Publish(u *mercure.Update) (id string, err error)
	// Prepare makes a subscription to the matchers; its errors are fit to be sent to the client: they wrap
	// ErrUnavailable, or tell what is wrong with a matcher.
	Prepare(ms []mercure.Matcher) (*actors.Subscription, error)
	// Resolve finds the event that a client saw last.
	Resolve(id string) (*actors.Cursor, error)
	// Subscriptions lists the active subscriptions, and LastEventID returns the id of the newest event.
	Subscriptions() ([]mercure.Subscription, error)
	LastEventID() string
	// Revoke ends the streams whose tokens are revoked and those that follow one of the topics. Nothing that is
	// stored after it has returned reaches them.
	Revoke(topics []string) (ended int, err error)
	// Subscribe opens a stream on a connection, which belongs to the hub afterwards unless it fails.
	Subscribe(s *actors.Subscription) error
}

// Verifier validates tokens. auth.Verifier is one.
type Verifier interface {
	Verify(role auth.Role, token, audience string) (*auth.Grant, error)
	// VerifyHeader takes the value of the Authorization header and what its connection remembers, or nil.
	VerifyHeader(m *auth.Memo, role auth.Role, header []byte, audience string) (g *auth.Grant, present bool, err error)
}

// Observer is told how publishes went.
type Observer interface {
	// Publish is told the status of the answer and how long it took.
	Publish(status int, d time.Duration)
}

// Options are what a server is made of.
type Options struct {
	// Listener and TLSListener are what to serve without and with TLS; the server closes them. One may be nil.
	Listener, TLSListener *net.TCPListener
	// TLS has the certificates. Its NextProtos are the protocols that clients may choose: h2, http/1.1.
	TLS *tls.Config
	// HTTP2Streams bounds the streams of one HTTP/2 connection, 250 if zero.
	HTTP2Streams int
	// HSTS is for how long browsers shall use no plain HTTP with this host (RFC 6797); zero says nothing.
	HSTS time.Duration
	// Hub is not used before Ready returns nil.
	Hub Hub
	// Ready returns why the hub cannot serve, or nil.
	Ready    func() error
	Verifier Verifier
	// Explainer answers what became of an update on a stream; nil means that nobody is told.
	Explainer Explainer
	// Revoker takes revocations of tokens; nil means that none are taken.
	Revoker Revoker
	// Revocable returns why no revocation can be taken, or nil; Ready if it is nil. A revocation may be more urgent than a
	// store that works.
	Revocable func() error
	Observer  Observer
	Logger    *slog.Logger

	// Protocol says which parameters are understood.
	Protocol auth.Protocol
	// Reserved tells topics in the namespace of the hub itself; topics.Space.Reserved is one.
	Reserved func(topic string) bool
	// Audience is the resource identifier of 1.0 tokens; the hub's URL if empty.
	Audience string
	// PublicURLs are the hub's URLs as clients see it, the canonical one first. One alone is what the hub
	// calls itself; of several the request's host chooses, and a host that is none of theirs gets 421. None is
	// derived from each request.
	PublicURLs []string
	// Anonymous lets subscribers without a token have public updates.
	Anonymous bool
	// Cookies are the names of cookies that carry a token, the first that is present counts.
	Cookies []string
	// CORSOrigins may read answers with credentials; "*" stands for any origin, without credentials.
	CORSOrigins []string
	// PublishOrigins may publish with a cookie, besides the hub's own origin.
	PublishOrigins []string

	// HubPath is the path of the hub's URL as clients see it; Path if empty.
	HubPath string
	// Subscriptions turns on subscription events and the subscription API.
	Subscriptions bool
	// Console are the pages of the console; nil is none.
	Console *Pages
	// GapNotice tells streams whose cursor is not retained, by an event of their own.
	GapNotice bool
	// InitialCursor gives streams without a cursor one before their first event.
	InitialCursor bool

	// Lifetime is the longest life of a stream; zero is no bound.
	Lifetime time.Duration
	// MaxConnections and MaxConnectionsPerIP bound open connections; zero is no bound.
	MaxConnections, MaxConnectionsPerIP int
	// MaxMatchers and MaxTopics bound the matchers of a subscription and the topics of an update; zero is no bound.
	MaxMatchers, MaxTopics int
	// PublishRate is how many updates a second a token may publish, PublishBurst how many at once, as many as in a
	// second if zero; a rate of zero is no bound.
	PublishRate, PublishBurst int
	// RevocationTime is how long a revoked id or subject is refused, unless a revocation says otherwise; a day if zero.
	RevocationTime time.Duration
	// MaxBody bounds a request's body in bytes, 1 MiB if zero.
	MaxBody int
	// UserTimeout is how long what was sent may stay without an acknowledgement before the system ends the connection,
	// where the system has that; zero leaves it to the system, whose own is some fifteen minutes.
	UserTimeout time.Duration
}

// Bounds of a request's head and of the time that it may take.
const (
	headBytes   = 32 << 10
	readTimeout = 10 * time.Second
	idleTimeout = 120 * time.Second
	// lingerTime is how long the hub reads on after it has refused a request that was not over.
	lingerTime = 5 * time.Second
)

// serverName is what the answers to requests say of the program.
const serverName = "hubd"

// Server is the hub's HTTP edge.
type Server struct {
	o           Options
	http        *fasthttp.Server
	poller      *poller
	connections *connections
	cors        origins
	publishers  origins
	// rate is nil where publishing has no bound.
	rate *rate
	// http2 is nil without TLS.
	http2 *http2Server
	// hsts is a header field's value; nil is none.
	hsts []byte
	// records and chunks are buffers, *[]byte, for streams that are being written to.
	records, chunks   sync.Pool
	handshakeFailures atomic.Uint64
	// fresh counts the connections that nobody has begun to serve.
	fresh atomic.Int32

	listeners []*listener
	stopping  atomic.Bool
	intake    intake

	// mu guards those below.
	mu      sync.Mutex
	served  chan error // a result for each listener
	stopped bool
}

// New returns a server that does nothing before Start.
func New(o Options) (*Server, error) {
	if o.Listener == nil && o.TLSListener == nil || o.Hub == nil || o.Verifier == nil || o.Ready == nil || o.Reserved == nil {
		return nil, errors.New("http server needs a listener, a hub, a verifier, a readiness check and the reserved namespace")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.HubPath == "" {
		o.HubPath = Path
	}
	if o.TLSListener != nil && o.TLS == nil {
		return nil, errors.New("http server needs a configuration for TLS")
	}
	for _, l := range o.listeners() {
		if err := limitSilence(l, o.UserTimeout); err != nil {
			return nil, err
		}
	}
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, poller: p,
		connections: newConnections(o.MaxConnections, o.MaxConnectionsPerIP),
		cors:        newOrigins(o.CORSOrigins),
		publishers:  newOrigins(o.PublishOrigins),
		rate:        newRate(o.PublishRate, o.PublishBurst, time.Now),
	}
	s.http = &fasthttp.Server{
		Handler:               s.serve,
		ErrorHandler:          refuse,
		Name:                  serverName,
		ReadBufferSize:        headBytes,
		MaxRequestBodySize:    o.MaxBody,
		ReadTimeout:           readTimeout,
		WriteTimeout:          readTimeout,
		IdleTimeout:           idleTimeout,
		NoDefaultServerHeader: true,
		NoDefaultDate:         true,
		CloseOnShutdown:       true,
		TCPKeepalive:          false,
		Logger:                discard{},

		// The hub takes no such form, and its parts could go to files.
		DisablePreParseMultipartForm: true,
	}
	s.records.New = func() any { b := make([]byte, 0, recordBytes+recordBytes/8); return &b }
	s.chunks.New = func() any { return new([]byte) }
	if o.TLSListener != nil {
		s.prepareTLS()
	}
	for _, l := range o.listeners() {
		a, err := newAcceptor(l)
		if err != nil {
			for _, l := range s.listeners {
				_ = l.Close()
			}
			p.stop()
			return nil, err
		}
		s.listeners = append(s.listeners, &listener{acceptor: a, server: s, tls: l == o.TLSListener, ahead: int32(freshPerCore * runtime.GOMAXPROCS(0))})
	}
	return s, nil
}

// prepareTLS prepares for connections over TLS: by what the client has chosen, fasthttp keeps them or hands them on.
func (s *Server) prepareTLS() {
	s.http2 = newHTTP2Server(s)
	s.http.NextProto("h2", s.http2.take)
	// The handshake is all there is to the proof of control over a name (RFC 8737, section 3).
	s.http.NextProto("acme-tls/1", func(net.Conn) error { return nil })
	if s.o.HSTS > 0 {
		s.hsts = strconv.AppendInt([]byte("max-age="), int64(s.o.HSTS/time.Second), 10)
	}
}

// listeners are those that there are.
func (o *Options) listeners() []*net.TCPListener {
	return slices.DeleteFunc([]*net.TCPListener{o.Listener, o.TLSListener}, func(l *net.TCPListener) bool { return l == nil })
}

// discard drops what fasthttp logs: every line of it is about one client's broken connection.
type discard struct{}

func (discard) Printf(string, ...any) {}

// Start begins to serve.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.served != nil || s.stopped {
		return errors.New("http server was started before")
	}
	if err := s.poller.start(); err != nil {
		return err
	}
	s.served = make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { s.served <- s.http.Serve(l) }()
	}
	if s.http2 != nil {
		s.http2.start()
	}
	return nil
}

// HandshakeFailures returns how many connections did not get through their TLS handshake.
func (s *Server) HandshakeFailures() uint64 { return s.handshakeFailures.Load() }

// Connections returns the number of open connections, streams and others. A stream over HTTP/2 counts beside its
// connection.
func (s *Server) Connections() int { return s.connections.count() }

// Refuse stops accepting connections and makes every request that is still to come answer that the hub
// stops. New connections are refused rather than answered 503, which would end a browser's
// EventSource for good: a connection that fails is one that it tries again.
func (s *Server) Refuse() {
	s.stopping.Store(true)
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.intake.open()
	if s.http2 != nil {
		s.http2.stopAccepting()
	}
}

// Pause leaves connections that come from now on in the listening socket, where they wait until Resume, or for
// another process that shares the socket. Requests on connections that are open are served.
func (s *Server) Pause() error {
	s.intake.close()
	for _, l := range s.listeners {
		if err := l.setDeadline(time.Unix(1, 0)); err != nil {
			return fmt.Errorf("pausing the listener: %w", err)
		}
	}
	return nil
}

// Resume accepts connections again after Pause.
func (s *Server) Resume() error {
	for _, l := range s.listeners {
		if err := l.setDeadline(time.Time{}); err != nil {
			return fmt.Errorf("resuming the listener: %w", err)
		}
	}
	s.intake.open()
	return nil
}

// Listener is the listening socket of connections without TLS, nil if there is none.
func (s *Server) Listener() *net.TCPListener { return s.o.Listener }

// TLSListener is that of connections over TLS, nil if there is none.
func (s *Server) TLSListener() *net.TCPListener { return s.o.TLSListener }

// Stop lets requests under way finish until ctx ends and joins the server's goroutines. Streams
// belong to the hub and must have ended before. Idempotent, and legal before Start.
func (s *Server) Stop(ctx context.Context) error {
	s.Refuse()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	var err error
	if s.served != nil {
		err = s.http.ShutdownWithContext(ctx)
		for range s.listeners {
			if served := <-s.served; err == nil {
				err = served
			}
		}
	}
	if s.http2 != nil {
		if stopped := s.http2.stop(ctx); err == nil {
			err = stopped
		}
	}
	s.poller.stop()
	return err
}
