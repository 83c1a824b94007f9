package sse

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// acceptor accepts from a listening socket; package net would have each connection join Go's poller.
type acceptor struct {
	listener *net.TCPListener
	// file is another descriptor of the socket: net lets no one else wait for its own.
	file *os.File
	raw  syscall.RawConn
}

func newAcceptor(l *net.TCPListener) (*acceptor, error) {
	if err := adjust(l, noDelay); err != nil {
		return nil, fmt.Errorf("setting up the listening socket: %w", err)
	}
	file, err := l.File()
	if err != nil {
		return nil, fmt.Errorf("taking the listening socket: %w", err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("taking the listening socket: %w", err), file.Close())
	}
	return &acceptor{listener: l, file: file, raw: raw}, nil
}

// accept waits for a connection, makes s its socket, and returns the address of the peer. It fails with
// os.ErrDeadlineExceeded after the deadline, with net.ErrClosed, or with what the system says.
func (a *acceptor) accept(s *socket) (netip.AddrPort, error) {
	var fd int
	var peer unix.Sockaddr
	var err error
	waited := a.raw.Read(func(listening uintptr) bool {
		for {
			fd, peer, err = unix.Accept4(int(listening), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	switch {
	case errors.Is(waited, os.ErrDeadlineExceeded):
		return netip.AddrPort{}, waited
	case waited != nil:
		return netip.AddrPort{}, net.ErrClosed
	case err != nil:
		return netip.AddrPort{}, os.NewSyscallError("accept4", err)
	}
	s.fd = fd
	return addrPort(peer), nil
}

func (a *acceptor) setDeadline(t time.Time) error { return a.file.SetReadDeadline(t) }

func (a *acceptor) close() error { return errors.Join(a.listener.Close(), a.file.Close()) }

// addrPort is a peer's address, that of IPv4 without the form of IPv6; invalid if it is neither.
func addrPort(peer unix.Sockaddr) netip.AddrPort {
	switch p := peer.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(p.Addr), uint16(p.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(p.Addr).Unmap(), uint16(p.Port))
	}
	return netip.AddrPort{}
}
