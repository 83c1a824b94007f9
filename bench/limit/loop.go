//go:build linux

package limit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	answer     = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
)

// loop owns a part of the connections. All but inbox belongs to its goroutine.
type loop struct {
	s        *Server
	epoll    int
	listener int
	bell     int // an eventfd that ends a wait
	addr     netip.AddrPort

	buf     []byte
	streams []int       // descriptors, in no order
	at      map[int]int // where in streams
	jobs    []*job

	// inbox is guarded by Server.mu.
	inbox []*job
}

func newLoop(s *Server, addr netip.AddrPort) (*loop, error) {
	l := &loop{s: s, epoll: -1, listener: -1, bell: -1, buf: make([]byte, 64<<10), at: make(map[int]int)}
	var err error
	if l.listener, l.addr, err = listen(addr); err != nil {
		return nil, err
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, errors.Join(fmt.Errorf("create an epoll instance: %w", err), l.close())
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, errors.Join(fmt.Errorf("create an eventfd: %w", err), l.close())
	}
	if err = errors.Join(l.watch(l.listener), l.watch(l.bell)); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *loop) watch(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// wake ends the loop's wait. An eventfd that cannot be written to is about to wake it anyway.
func (l *loop) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(l.bell, one[:])
}

func (l *loop) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events := make([]unix.EpollEvent, 512)
	for !l.s.stopped.Load() {
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for sockets: %w", err)
		}
		for _, ev := range events[:max(n, 0)] {
			if err := l.handle(int(ev.Fd)); err != nil {
				return err
			}
		}
		l.jobs = l.s.collect(l, l.jobs[:0])
		for _, j := range l.jobs {
			if err := l.write(j); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loop) handle(fd int) error {
	switch fd {
	case l.listener:
		return l.accept()
	case l.bell:
		if _, err := unix.Read(fd, l.buf[:8]); err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("read the eventfd: %w", err)
		}
		return nil
	}
	n, err := unix.Read(fd, l.buf)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil || n == 0 {
		return l.drop(fd)
	}
	return l.request(fd, l.buf[:n])
}

func (l *loop) accept() error {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ECONNABORTED) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return fmt.Errorf("set no delay: %w", err)
		}
		if err := l.watch(fd); err != nil {
			return err
		}
	}
}

// request serves one whole request.
func (l *loop) request(fd int, b []byte) error {
	_, body, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole {
		return l.drop(fd)
	}
	if b[0] == 'G' {
		l.at[fd] = len(l.streams)
		l.streams = append(l.streams, fd)
		l.s.streams.Add(1)
		return l.send(fd, []byte(streamHead))
	}
	_, data, found := bytes.Cut(body, []byte("data="))
	if !found {
		return l.drop(fd)
	}
	if l.s.streams.Load() == 0 {
		return l.send(fd, []byte(answer))
	}
	l.s.spread(l, fd, data)
	return nil
}

// write sends a frame to every stream of the loop, with one write each.
func (l *loop) write(j *job) error {
	for i := len(l.streams) - 1; i >= 0; i-- { // a stream that is dropped gives its place to the last one
		if err := l.send(l.streams[i], j.frame); err != nil {
			return err
		}
	}
	if j.left.Add(-1) == 0 {
		return l.send(j.fd, []byte(answer))
	}
	return nil
}

// send writes all of b, waiting where the socket is full.
func (l *loop) send(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		switch {
		case err == nil:
			b = b[n:]
		case errors.Is(err, unix.EAGAIN):
			full := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(full, 1000); err != nil && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("wait for a full socket: %w", err)
			}
			if l.s.stopped.Load() {
				return nil
			}
		default:
			return l.drop(fd)
		}
	}
	return nil
}

// drop closes a connection.
func (l *loop) drop(fd int) error {
	if i, ok := l.at[fd]; ok {
		last := len(l.streams) - 1
		l.streams[i] = l.streams[last]
		l.at[l.streams[i]] = i
		l.streams = l.streams[:last]
		delete(l.at, fd)
		l.s.streams.Add(-1)
	}
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("close a connection: %w", err)
	}
	return nil
}

// close releases what the loop opened; it has ended or never begun.
func (l *loop) close() error {
	errs := make([]error, 0, len(l.streams)+3)
	for _, fd := range append(l.streams, l.listener, l.epoll, l.bell) {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	return errors.Join(errs...)
}
