//go:build !linux

package sse

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"hubd/actors"
)

// Where there is no epoll a stream has two goroutines: one waits for the client to hang up, one
// writes what a subscriber's actor hands over. Linux is where hubs run; this is for development.

// slot has no use here.
type slot struct{}

type poller struct{ done sync.WaitGroup }

func newPoller() (*poller, error) { return &poller{}, nil }
func (p *poller) start() error    { return nil }
func (p *poller) stop()           { p.done.Wait() }

// stream is a detached connection as a subscriber sees it.
type stream struct {
	*conn
	carried net.Conn // the connection itself, or TLS on it
	chunks  chan []byte
	quit    chan struct{}
}

func (c *conn) detach() (*stream, error) {
	if c.detached {
		return nil, errors.New("connection was detached before")
	}
	if err := c.SetDeadline(time.Time{}); err != nil { // fasthttp's
		return nil, fmt.Errorf("taking the connection of a stream: %w", err)
	}
	c.detached = true
	return &stream{conn: c, carried: c.TCPConn, chunks: make(chan []byte, 1), quit: make(chan struct{})}, nil
}

// Release is not available here.
func (s *Server) Release(actors.Conn) (fd int, err error) {
	return 0, fmt.Errorf("taking a stream's socket: %w", errors.ErrUnsupported)
}

// Adopt is not available here.
func (s *Server) Adopt(int) (actors.Conn, error) {
	return nil, fmt.Errorf("going on with a stream: %w", errors.ErrUnsupported)
}

// Watch implements actors.Conn.
func (s *stream) Watch(subscriber *actors.Subscriber) {
	s.subscriber = subscriber
	s.server.poller.done.Go(func() {
		var b [1]byte
		for {
			if _, err := s.carried.Read(b[:]); err != nil {
				subscriber.Hangup()
				return
			}
		}
	})
	s.server.poller.done.Go(func() {
		for {
			select {
			case <-s.quit:
				return
			case chunk := <-s.chunks:
				if _, err := s.carried.Write(chunk); err != nil {
					subscriber.Hangup()
					return
				}
				if s.full.CompareAndSwap(true, false) {
					subscriber.Writable()
				}
			}
		}
	})
}

// Write implements actors.Conn: it takes one chunk at a time.
func (s *stream) Write(p []byte) (n int, err error) {
	s.full.Store(true)
	select {
	case s.chunks <- append([]byte(nil), p...):
		s.full.Store(false)
		return len(p), nil
	default:
		return 0, nil
	}
}

// Close implements actors.Conn. What was handed over is given a moment to leave.
func (s *stream) Close() error {
	if err := s.TCPConn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("ending a stream: %w", err)
	}
	close(s.quit)
	return s.finish()
}
