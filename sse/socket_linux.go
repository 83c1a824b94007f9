package sse

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is the socket of an accepted connection. It reads and writes at once, and joins Go's poller when it first has to
// wait. That of a subscriber does not: its request has come before it is accepted, and a stream never waits. Go's own
// connections join at once, which is two system calls and half a kilobyte for each stream.
//
// Its methods may be called by several goroutines at once: fasthttp closes idle connections when it stops.
type socket struct {
	fd int

	// mu guards those below, and keeps the descriptor open while it is used; nothing waits under it.
	mu sync.Mutex
	// file waits for the socket; nil until something has to.
	file   *os.File
	closed bool
	// readBy and writeBy are the deadlines until then.
	readBy, writeBy time.Time
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (n int, err error) {
	file, n, err := s.readNow(p)
	if file == nil {
		return n, failed("read", err)
	}
	n, err = file.Read(p)
	return n, failed("read", err)
}

// readNow reads what is there, or returns the file to read from.
func (s *socket) readNow(p []byte) (wait *os.File, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.file == nil && !s.closed {
		if past(s.readBy) {
			return nil, 0, os.ErrDeadlineExceeded
		}
		n, err = unix.Read(s.fd, p)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			err = s.join()
		case err != nil:
			return nil, 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return nil, 0, io.EOF
		default:
			return nil, n, nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, 0, err
		}
	}
	if s.closed {
		return nil, 0, net.ErrClosed
	}
	return s.file, 0, nil
}

// Write implements net.Conn.
func (s *socket) Write(p []byte) (n int, err error) {
	file, n, err := s.writeNow(p)
	if file == nil {
		return n, failed("write", err)
	}
	m, err := file.Write(p[n:])
	return n + m, failed("write", err)
}

// writeNow writes what the socket takes, and returns the file to write the rest to, if there is one.
func (s *socket) writeNow(p []byte) (wait *os.File, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.file == nil && !s.closed {
		switch {
		case past(s.writeBy):
			return nil, n, os.ErrDeadlineExceeded
		case n == len(p):
			return nil, n, nil
		}
		m, err := send(s.fd, p[n:])
		n += m
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if err := s.join(); err != nil {
				return nil, n, err
			}
		default:
			return nil, n, os.NewSyscallError("send", err)
		}
	}
	if s.closed {
		return nil, n, net.ErrClosed
	}
	return s.file, n, nil
}

func past(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

// join makes the socket known to Go's poller.
func (s *socket) join() error {
	s.file = os.NewFile(uintptr(s.fd), "tcp")
	if err := s.file.SetReadDeadline(s.readBy); err != nil {
		return err
	}
	return s.file.SetWriteDeadline(s.writeBy)
}

// SetDeadline implements net.Conn.
func (s *socket) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(t time.Time) error {
	if file := s.limit(&s.readBy, t); file != nil {
		return file.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (s *socket) SetWriteDeadline(t time.Time) error {
	if file := s.limit(&s.writeBy, t); file != nil {
		return file.SetWriteDeadline(t)
	}
	return nil
}

// limit notes a deadline and returns the file to set it on, if there is one.
func (s *socket) limit(deadline *time.Time, t time.Time) *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	*deadline = t
	return s.file
}

// CloseWrite ends what is sent; the client's part may go on.
func (s *socket) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return os.NewSyscallError("shutdown", unix.Shutdown(s.fd, unix.SHUT_WR))
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return net.ErrClosed
	case s.file != nil:
		s.closed = true
		return s.file.Close()
	}
	s.closed = true
	return os.NewSyscallError("close", unix.Close(s.fd))
}

// LocalAddr implements net.Conn. An address that the system does not tell is the zero one.
func (s *socket) LocalAddr() net.Addr { return s.ask(unix.Getsockname) }

// RemoteAddr implements net.Conn, likewise.
func (s *socket) RemoteAddr() net.Addr { return s.ask(unix.Getpeername) }

func (s *socket) ask(system func(fd int) (unix.Sockaddr, error)) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &net.TCPAddr{}
	}
	name, err := system(s.fd)
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(addrPort(name))
}

// failed wraps an error as package net does.
func failed(operation string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	var path *os.PathError
	switch {
	case errors.Is(err, os.ErrClosed):
		err = net.ErrClosed
	case errors.As(err, &path):
		err = path.Err
	}
	return &net.OpError{Op: operation, Net: "tcp", Err: err}
}

// send is send(2), which package unix has without the count. Against write(2) it saves the look at the file behind the
// socket, a twentieth of the time. It never waits, so Go's scheduler is not told of it: as much again.
func send(fd int, p []byte) (n int, err error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
