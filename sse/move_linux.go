package sse

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hubd/actors"
)

// Release takes the socket of a stream that its hub has released. The descriptor is the caller's; the server has
// forgotten the connection, and keeps it open no more than any other descriptor of the process does.
func (s *Server) Release(c actors.Conn) (fd int, err error) {
	st, ok := c.(*stream)
	if !ok || st.server != s {
		return 0, fmt.Errorf("taking a stream's socket: %T is not a stream of this server", c)
	}
	fd, err = unix.FcntlInt(uintptr(st.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("taking a stream's socket: %w", os.NewSyscallError("fcntl", err))
	}
	// A socket with another descriptor does not leave the kernel's list when this one is closed.
	s.poller.unwatch((*conn)(st))
	_ = st.Close()
	return fd, nil
}

// Adopt makes a connection of a socket that another server has released. It counts against the limits but is never
// refused: its client was let in before. After an error the descriptor is still the caller's.
func (s *Server) Adopt(fd int) (actors.Conn, error) {
	peer, err := unix.Getpeername(fd)
	if err != nil {
		// The client may have gone meanwhile.
		return nil, fmt.Errorf("going on with a stream: %w", os.NewSyscallError("getpeername", err))
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("going on with a stream: %w", err)
	}
	c := &conn{socket: socket{fd: fd}, server: s, address: addrPort(peer).Addr(), detached: true}
	s.connections.admit(c.address)
	return (*stream)(c), nil
}
