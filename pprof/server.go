package pprof

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

var (
	// ErrOptions is wrapped by every error about options that cannot be used.
	ErrOptions = errors.New("invalid admin server options")
	// ErrState is wrapped by the error of a Start after another Start or after Stop.
	ErrState = errors.New("admin server cannot be started again")
)

const (
	// readTimeout bounds a request, which is a line and a few headers.
	readTimeout = 10 * time.Second
	// writeTimeout bounds the writing of a response, a trace that is streamed while it is taken included.
	writeTimeout = maxSeconds*time.Second + 30*time.Second
	idleTimeout  = 2 * time.Minute
	// maxConnections is far above what probes, a scraper and an operator need.
	maxConnections = 256
	// maxBody bounds what is posted, which is lists of addresses for the symbol profile.
	maxBody = 256 << 10
)

// Options describe an admin server. All fields but Logger are required.
type Options struct {
	// Listen is the address, host:port; port 0 takes a free one.
	Listen string
	// Listener is bound already and taken in place of Listen; the server closes it. It may be nil.
	Listener net.Listener
	// Ready returns why the process cannot serve, nil if it can. It is called for every request of
	// /readyz, from any goroutine, and must not block. The text of the error is shown to the client.
	Ready func() error
	// Metrics are what /metrics shows.
	Metrics prometheus.Gatherer
	// Recorder has what the dashboard shows. The server neither starts nor stops it.
	Recorder *Recorder
	// Answers are further addresses, by path, that answer with JSON.
	Answers map[string]Answer
	// Hosts are the names, besides localhost, the host of Listen and IP addresses, by which a server that listens on loopback
	// is asked; see the check in host.go.
	Hosts []string
	// Logger takes what goes wrong while serving; nil is slog.Default.
	Logger *slog.Logger
}

// Validate reports the first option that is missing or wrong. Errors wrap ErrOptions.
func (o *Options) Validate() error {
	switch {
	case o.Ready == nil:
		return fmt.Errorf("%w: Ready is missing", ErrOptions)
	case o.Metrics == nil:
		return fmt.Errorf("%w: Metrics is missing", ErrOptions)
	case o.Recorder == nil:
		return fmt.Errorf("%w: Recorder is missing", ErrOptions)
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil && o.Listener == nil {
		return fmt.Errorf("%w: Listen is not host:port: %w", ErrOptions, err)
	}
	return nil
}

// Server is the admin server. Start and Stop may be called from any goroutine.
//
//	new --Start--> serving --Stop--> stopped
//	new --Stop--> stopped
type Server struct {
	listen   string
	given    net.Listener
	logger   *slog.Logger
	server   *fasthttp.Server
	conns    connections
	profiles profiles
	hosts    *hosts

	// served is closed when the goroutine that accepts has returned.
	served chan struct{}
	// stopping is closed by the first Stop; handlers that wait watch it.
	stopping chan struct{}

	// mu guards what follows and is held while the address is bound.
	mu       sync.Mutex
	listener net.Listener
	stopped  bool
}

// New returns a server that does nothing until Start.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Server{listen: o.Listen, given: o.Listener, logger: o.Logger, served: make(chan struct{}), stopping: make(chan struct{})}
	s.hosts = newHosts(o.Listen, o.Hosts)
	s.conns.busy = map[net.Conn]bool{}
	s.profiles = profiles{stopping: s.stopping, after: time.After}
	r, err := newRoutes(&o, &s.profiles)
	if err != nil {
		return nil, err
	}
	s.server = &fasthttp.Server{
		Handler:               s.handler(r),
		ConnState:             s.conns.changed,
		Logger:                printer{o.Logger},
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		Concurrency:           maxConnections,
		MaxRequestBodySize:    maxBody,
		NoDefaultServerHeader: true,
		NoDefaultDate:         true,
	}
	return s, nil
}

// Start binds the address and serves until Stop.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil || s.stopped {
		return ErrState
	}
	listener, err := s.given, error(nil)
	if listener == nil {
		listener, err = net.Listen("tcp", s.listen)
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s for the admin server: %w; stop what uses it or choose another admin-listen", s.listen, err)
	case err != nil:
		return fmt.Errorf("listen on %s for the admin server: %w; choose another admin-listen", s.listen, err)
	}
	s.listener = listener
	s.hosts.guard(listener.Addr())
	go func() {
		defer close(s.served)
		if err := s.server.Serve(listener); err != nil {
			s.logger.Error("the admin server stopped serving", "address", listener.Addr().String(), "error", err)
		}
	}()
	return nil
}

// Listener returns the listening socket, nil before Start.
func (s *Server) Listener() net.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener
}

// Addr returns the address that is bound, nil before Start.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Stop closes the address, lets requests under way finish until ctx ends, and returns when every
// connection is closed and every handler done. It returns ctx's error if requests had to be cut off. It may be called again
// and before Start.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	listener := s.listener
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
	}
	s.mu.Unlock()
	if listener == nil {
		return nil
	}
	if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.logger.Warn("closing the admin server's address", "error", err)
	}
	<-s.served
	s.conns.drain()
	cut := s.conns.wait(ctx)
	s.profiles.writers.Wait()
	return cut
}

// printer hands fasthttp's messages to the logger. They tell about single connections.
type printer struct{ logger *slog.Logger }

func (p printer) Printf(format string, args ...any) {
	p.logger.Debug("admin server: " + fmt.Sprintf(format, args...))
}

// Println takes the errors of collectors.
func (p printer) Println(args ...any) {
	p.logger.Warn("gathering metrics: " + fmt.Sprint(args...))
}
