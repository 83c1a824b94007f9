package sse

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// A released socket goes on at another server: what is written there arrives, hang-ups and room are seen there alone,
// and both servers count right.
func TestReleasedSocketGoesOnAtAnotherServer(t *testing.T) {
	t.Parallel()
	old, next := newWatched(t), newWatched(t)
	next.connections = newConnections(1, 1)
	near, oldWatcher, far := dial(t, old)
	fd, err := old.Release(near)
	if err != nil {
		t.Fatal(err)
	}
	if old.connections.count() != 0 {
		t.Fatal("the old server still counts the connection")
	}
	adopted, err := next.Adopt(fd)
	if err != nil {
		t.Fatal(err)
	}
	if next.connections.enter(netip.MustParseAddr("127.0.0.1")) {
		t.Error("an adopted connection does not count against the limits")
	}
	st := adopted.(*stream)
	w := &seen{make(chan struct{}, 8), make(chan struct{}, 8)}
	st.subscriber = w
	if err := next.poller.add((*conn)(st)); err != nil {
		t.Fatal(err)
	}
	if n, err := adopted.Write([]byte("data")); n != 4 || err != nil {
		t.Fatalf("writing to an adopted socket: %d, %v", n, err)
	}
	read := make([]byte, 10)
	if n, err := far.Read(read); string(read[:n]) != "data" || err != nil {
		t.Fatalf("the client read %q, %v", read[:n], err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, w.hungUp, "a hang-up")
	if len(oldWatcher.hungUp) != 0 {
		t.Error("the old server was told of the hang-up")
	}
	if err := adopted.Close(); err != nil {
		t.Fatal(err)
	}
	if next.connections.count() != 0 {
		t.Error("the closed connection still counts")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
		t.Error("the descriptor is still open")
	}
}

// Neither a stream of another server nor a descriptor that is no connection is taken.
func TestOnlySocketsMove(t *testing.T) {
	t.Parallel()
	old, next := newWatched(t), newWatched(t)
	near, _, _ := dial(t, old)
	if _, err := next.Release(near); err == nil {
		t.Error("a server released a stream of another")
	}
	_ = near.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := next.Adopt(int(file.Fd())); err == nil || next.connections.count() != 0 {
		t.Errorf("a listening socket was adopted: %v, %d connections", err, next.connections.count())
	}
}
