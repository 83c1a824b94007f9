package sse

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// acceptor accepts from a listening socket; package net would have each connection join Go's poller. It serves one goroutine.
type acceptor struct {
	listener *net.TCPListener
	// file is another descriptor of the socket: net lets no one else wait for its own.
	file *os.File
	raw  syscall.RawConn

	// try is a.accept4, made once, and what follows is what it found last: a connection makes no garbage.
	try  func(listening uintptr) bool
	fd   int
	err  error
	peer unix.RawSockaddrAny
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
	a := &acceptor{listener: l, file: file, raw: raw}
	a.try = a.accept4
	return a, nil
}

// accept waits for a connection, makes s its socket, and returns the address of the peer. It fails with
// os.ErrDeadlineExceeded after the deadline, with net.ErrClosed, or with what the system says.
func (a *acceptor) accept(s *socket) (netip.Addr, error) {
	waited := a.raw.Read(a.try)
	switch {
	case errors.Is(waited, os.ErrDeadlineExceeded):
		return netip.Addr{}, waited
	case waited != nil:
		return netip.Addr{}, net.ErrClosed
	case a.err != nil:
		return netip.Addr{}, os.NewSyscallError("accept4", a.err)
	}
	s.fd = a.fd
	return rawAddr(&a.peer), nil
}

// accept4 is accept4(2), and reports whether there is a result: a connection or an error.
func (a *acceptor) accept4(listening uintptr) bool {
	for {
		size := uint32(unix.SizeofSockaddrAny)
		fd, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, listening, uintptr(unsafe.Pointer(&a.peer)), uintptr(unsafe.Pointer(&size)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			a.fd, a.err = int(fd), nil
			return true
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			return false
		default:
			a.err = errno
			return true
		}
	}
}

func (a *acceptor) setDeadline(t time.Time) error { return a.file.SetReadDeadline(t) }

func (a *acceptor) close() error { return errors.Join(a.listener.Close(), a.file.Close()) }

// rawAddr is the address in what the system says of a peer, that of IPv4 without the form of IPv6; invalid if it is neither.
func rawAddr(peer *unix.RawSockaddrAny) netip.Addr {
	switch peer.Addr.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(peer)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(peer)).Addr).Unmap()
	}
	return netip.Addr{}
}

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
