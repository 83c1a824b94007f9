package engines

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server. It can cut the connections that go through it, or let nothing pass, as a
// network does.
type Proxy struct {
	// Address is its host and port.
	Address string

	listener net.Listener
	running  sync.WaitGroup

	// mu guards what follows; it is held for work in memory and to close connections.
	mu     sync.Mutex
	target string
	conns  map[net.Conn]struct{}
	down   bool
	ended  bool
	// held is closed by Mend or Cut; nil unless nothing is to pass.
	held chan struct{}
}

// StartProxy starts a proxy to the address of a server. It ends with the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	return StartProxyAt(t, "127.0.0.1", target)
}

// StartProxyAt starts a proxy that listens on an address of this machine, for clients in a network of their own.
func StartProxyAt(t testing.TB, host, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), target: target, listener: listener, conns: map[net.Conn]struct{}{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.Cut()
		p.running.Wait()
	})
	return p
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve copies both ways until one side ends or the proxy cuts.
func (p *Proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !p.keep(client) {
		return
	}
	defer p.forget(client)
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !p.keep(server) {
		return
	}
	defer p.forget(server)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, passage{p, server})
		_ = client.Close()
	})
	_, _ = io.Copy(server, passage{p, client})
	_ = server.Close()
	back.Wait()
}

// keep notes a connection, unless none is to be.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down || p.ended {
		return false
	}
	p.conns[conn] = struct{}{}
	return true
}

func (p *Proxy) forget(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// Cut ends all connections and lets none come about until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	p.pass()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// Hold lets nothing pass until Mend or Cut, as a network that drops packets: connections stay open, new ones seem to
// come about, and nobody answers.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = make(chan struct{})
	}
}

// Mend ends what Cut or Hold did.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
	p.pass()
}

// pass ends a hold. p.mu is held.
func (p *Proxy) pass() {
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
}

// passage is a connection from which is read what may pass.
type passage struct {
	p    *Proxy
	from io.Reader
}

// Read implements io.Reader.
func (c passage) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.p.mu.Lock()
	held := c.p.held
	c.p.mu.Unlock()
	if held != nil {
		<-held
	}
	return n, err
}

// Connections returns how many connections of clients and to the server there are.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Retarget sends connections that come about from now on to another server.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}
