//go:build !linux

package sse

import (
	"net"
	"net/netip"
	"time"
)

// socket is the socket of an accepted connection.
type socket struct{ *net.TCPConn }

// acceptor accepts from a listening socket.
type acceptor struct{ listener *net.TCPListener }

func newAcceptor(l *net.TCPListener) (*acceptor, error) { return &acceptor{l}, nil }

// accept waits for a connection, makes s its socket, and returns the address of the peer. It fails with
// os.ErrDeadlineExceeded after the deadline, with net.ErrClosed, or with what the system says.
func (a *acceptor) accept(s *socket) (netip.Addr, error) {
	var err error
	if s.TCPConn, err = a.listener.AcceptTCP(); err != nil {
		return netip.Addr{}, err
	}
	return s.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(), nil
}

func (a *acceptor) setDeadline(t time.Time) error { return a.listener.SetDeadline(t) }

func (a *acceptor) close() error { return a.listener.Close() }
