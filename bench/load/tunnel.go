//go:build linux

package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
)

// Tunnel lets Streams, whose loop speaks plain HTTP, reach a server that speaks TLS: it listens on a port of the
// loopback interface, and each connection there becomes one to the server. Two goroutines serve a
// connection, so it is for a thousand streams and not for ten; Close ends and joins them.
type Tunnel struct {
	listener net.Listener
	server   string
	config   *tls.Config
	ctx      context.Context
	cancel   context.CancelFunc
	done     sync.WaitGroup

	// mu guards err, which is the first handshake that failed.
	mu  sync.Mutex
	err error
}

// NewTunnel opens a tunnel to a server, whose certificate must be one that config trusts. Every connection makes
// a handshake of its own: config should have no session cache.
func NewTunnel(ctx context.Context, server netip.AddrPort, config *tls.Config) (*Tunnel, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a tunnel to %s: %w", server, err)
	}
	t := &Tunnel{listener: listener, server: server.String(), config: config}
	t.ctx, t.cancel = context.WithCancel(ctx)
	t.done.Go(t.accept)
	return t, nil
}

// Addr returns the address for plain connections.
func (t *Tunnel) Addr() netip.AddrPort { return t.listener.Addr().(*net.TCPAddr).AddrPort() }

// Err returns the error of the first connection that could not be made; its stream has ended.
func (t *Tunnel) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Close ends all connections.
func (t *Tunnel) Close() error {
	t.cancel()
	err := t.listener.Close()
	t.done.Wait()
	return err
}

func (t *Tunnel) accept() {
	for {
		plain, err := t.listener.Accept()
		if err != nil {
			return // Close was called
		}
		t.done.Go(func() { t.serve(plain) })
	}
}

// serve makes the other half of a connection and moves bytes until either side ends it.
func (t *Tunnel) serve(plain net.Conn) {
	dialer := tls.Dialer{Config: t.config}
	secure, err := dialer.DialContext(t.ctx, "tcp4", t.server)
	if err != nil {
		t.fail(err) // before the stream can see its end
		_ = plain.Close()
		return
	}
	end := sync.OnceFunc(func() {
		// Whatever is wrong with a connection shows in the stream, whose every event is checked.
		_ = plain.Close()
		_ = secure.Close()
	})
	defer context.AfterFunc(t.ctx, end)()
	up := make(chan struct{})
	go func() {
		defer close(up)
		defer end()
		_, _ = io.Copy(secure, plain)
	}()
	_, _ = io.Copy(plain, secure)
	end()
	<-up
}

func (t *Tunnel) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && t.ctx.Err() == nil {
		t.err = fmt.Errorf("tunnel to %s: %w", t.server, err)
	}
}
