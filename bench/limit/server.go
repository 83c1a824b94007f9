//go:build linux

package limit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Server is a set of loops that share one address.
type Server struct {
	loops []*loop
	addr  netip.AddrPort

	// mu is held while a frame is put into every inbox, which never blocks.
	mu      sync.Mutex
	frames  int
	streams atomic.Int32
	stopped atomic.Bool
}

// job is one frame on its way to the streams of all loops. The last loop that is done answers.
type job struct {
	frame []byte
	fd    int
	left  atomic.Int32
}

// NewServer listens on a loopback address with a number of loops; port 0 is any free one.
func NewServer(addr netip.AddrPort, loops int) (*Server, error) {
	s := &Server{addr: addr}
	for range loops {
		l, err := newLoop(s, s.addr)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.loops = append(s.loops, l)
		s.addr = l.addr
	}
	return s, nil
}

// Addr returns the address that is listened on.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Run serves until the context ends or a loop fails.
func (s *Server) Run(ctx context.Context) error {
	stopped := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.stop()
	})
	errs := make([]error, len(s.loops))
	var wg sync.WaitGroup
	for i, l := range s.loops {
		wg.Go(func() {
			errs[i] = l.run()
			s.stop()
		})
	}
	wg.Wait()
	if !cancel() {
		<-stopped // it writes to descriptors that are closed next
	}
	return errors.Join(append(errs, s.close())...)
}

func (s *Server) stop() {
	s.stopped.Store(true)
	for _, l := range s.loops {
		l.wake()
	}
}

func (s *Server) close() error {
	var errs []error
	for _, l := range s.loops {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// spread puts a frame with the data into every inbox and returns the loops to their work.
func (s *Server) spread(from *loop, fd int, data []byte) {
	j := &job{fd: fd}
	j.left.Store(int32(len(s.loops)))
	s.mu.Lock()
	s.frames++
	j.frame = fmt.Appendf(make([]byte, 0, len(data)+32), "id: %d\ndata: %s\n\n", s.frames, data)
	for _, l := range s.loops {
		l.inbox = append(l.inbox, j)
	}
	s.mu.Unlock()
	for _, l := range s.loops {
		if l != from {
			l.wake()
		}
	}
}

// collect empties an inbox.
func (s *Server) collect(l *loop, into []*job) []*job {
	s.mu.Lock()
	into = append(into, l.inbox...)
	clear(l.inbox)
	l.inbox = l.inbox[:0]
	s.mu.Unlock()
	return into
}

// listen opens a listening socket that shares its address with those of the other loops.
func listen(addr netip.AddrPort) (int, netip.AddrPort, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, addr, fmt.Errorf("open a socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}),
		unix.Listen(fd, 4096),
	)
	if err != nil {
		return -1, addr, errors.Join(fmt.Errorf("listen on %s: %w", addr, err), unix.Close(fd))
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return -1, addr, errors.Join(fmt.Errorf("read the listening address: %w", err), unix.Close(fd))
	}
	if in4, ok := name.(*unix.SockaddrInet4); ok {
		addr = netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port))
	}
	return fd, addr, nil
}
