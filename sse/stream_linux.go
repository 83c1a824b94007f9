package sse

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"hubd/actors"
)

// stream is a detached connection as a subscriber sees it: the same memory, one look into it less for each write.
type stream conn

// detach takes the connection from fasthttp.
func (c *conn) detach() (*stream, error) {
	c.detached = true
	return (*stream)(c), nil
}

// Watch implements actors.Conn.
func (s *stream) Watch(subscriber *actors.Subscriber) {
	s.subscriber = subscriber
	if err := s.server.poller.add((*conn)(s)); err != nil {
		// A socket that cannot be watched is one whose client cannot be heard: end it.
		subscriber.Hangup()
	}
}

// Write implements actors.Conn. A socket that is found full is marked and tried once more: room that comes after the
// mark is reported, and room that came before it is there.
func (s *stream) Write(p []byte) (n int, err error) {
	marked := false
	for n < len(p) {
		m, err := send(s.fd, p[n:])
		if m > 0 {
			n += m
		}
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EAGAIN):
			return n, os.NewSyscallError("send", err)
		case marked:
			return n, nil
		default:
			s.full.Store(true)
			marked = true
			if !s.filled {
				s.filled = true
				if err := s.server.poller.awaitRoom((*conn)(s)); err != nil {
					return n, err
				}
			}
		}
	}
	if marked {
		s.full.Store(false)
	}
	return n, nil
}

// Close implements actors.Conn.
func (s *stream) Close() error {
	s.server.poller.remove((*conn)(s))
	return (*conn)(s).finish()
}
