package sse

import (
	"net"
	"testing"
	"time"
)

// seen is a watcher that passes on what it is told.
type seen struct{ hungUp, writable chan struct{} }

func (s *seen) Hangup()   { s.hungUp <- struct{}{} }
func (s *seen) Writable() { s.writable <- struct{}{} }

func await(t *testing.T, c chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("the poller does not report %s", what)
	}
}

// dial returns both ends of a connection, the near one watched.
func dial(t *testing.T, s *Server) (*stream, *seen, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	a, err := newAcceptor(l.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.close() }()
	near, err := (&listener{acceptor: a, server: s, ahead: 1}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	st, err := near.(*conn).detach()
	if err != nil {
		t.Fatal(err)
	}
	w := &seen{make(chan struct{}, 8), make(chan struct{}, 8)}
	st.subscriber = w
	if err := s.poller.add((*conn)(st)); err != nil {
		t.Fatal(err)
	}
	return st, w, far.(*net.TCPConn)
}

func newWatched(t *testing.T) *Server {
	t.Helper()
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return &Server{poller: p, connections: newConnections(0, 0)}
}

func TestPollerReportsHangUps(t *testing.T) {
	t.Parallel()
	s := newWatched(t)
	near, w, far := dial(t, s)
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, w.hungUp, "a hang-up")
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	if s.connections.count() != 0 {
		t.Fatal("a closed stream still counts")
	}
	// fasthttp closes what it handed over; that must not close another's descriptor or count twice.
	if err := (*conn)(near).Close(); err != nil || s.connections.count() != 0 {
		t.Fatalf("second close: %v, %d connections", err, s.connections.count())
	}
}

func TestPollerReportsRoomAfterAFullSocket(t *testing.T) {
	t.Parallel()
	s := newWatched(t)
	near, w, far := dial(t, s)
	defer func() { _ = near.Close() }()
	sent := 0
	chunk := make([]byte, 1<<20)
	for round := range 3 {
		for {
			n, err := near.Write(chunk)
			if err != nil {
				t.Fatal(err)
			}
			sent += n
			if n < len(chunk) {
				break
			}
		}
		buf := make([]byte, 1<<16)
		for sent > 0 {
			n, err := far.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			sent -= n
		}
		await(t, w.writable, "room")
		if len(w.hungUp) > 0 {
			t.Fatalf("round %d: a hang-up is reported", round)
		}
	}
}

// A slot that has a new owner gets no event of the old one.
func TestPollerSlotsAreNotConfused(t *testing.T) {
	t.Parallel()
	s := newWatched(t)
	first, _, _ := dial(t, s)
	old := first.slot
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, _, _ := dial(t, s)
	defer func() { _ = second.Close() }()
	if second.slot.index != old.index {
		t.Fatalf("slot %d was not used again", old.index)
	}
	if s.poller.lookup(old) != nil || s.poller.lookup(second.slot) != (*conn)(second) {
		t.Fatal("an old slot finds the new connection")
	}
}
