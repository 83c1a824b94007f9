package sse

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
)

// Connections are accepted ahead of those who serve them up to the bound; one that is read from, or closed before, makes room.
func TestFewConnectionsWaitToBeServed(t *testing.T) {
	t.Parallel()
	s := &Server{connections: newConnections(0, 0)}
	tcp, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAcceptor(tcp)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{acceptor: a, server: s, ahead: 2}
	defer func() { _ = l.Close() }()
	const clients = 5
	for range clients {
		far, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = far.Close() }()
		if _, err := far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	accepted := make(chan net.Conn, clients)
	var count atomic.Int32
	go func() {
		for range clients {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				break
			}
			count.Add(1)
			accepted <- c
		}
		close(accepted)
	}()
	first, second := <-accepted, <-accepted
	for range 10_000 {
		runtime.Gosched() // the third could come now
	}
	if got := count.Load(); got != 2 {
		t.Fatalf("%d connections are accepted that nobody serves, want 2", got)
	}
	for range 3 { // makes room once
		if _, err := first.Read(nil); err != nil {
			t.Fatal(err)
		}
	}
	third := <-accepted
	if got := s.fresh.Load(); got != 2 {
		t.Errorf("%d connections count as waiting, want 2", got)
	}
	for _, c := range []net.Conn{first, second, third} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for c := range accepted {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.fresh.Load(); got != 0 {
		t.Errorf("%d connections count as waiting when all are closed", got)
	}
}
