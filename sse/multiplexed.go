package sse

import (
	"context"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"hubd/actors"
)

// multiplexed is a stream over HTTP/2 as a subscriber sees it. The library writes by waiting for the connection and for
// the client's window, so the goroutine of the request does it: the subscriber hands over a chunk, and the next when that
// one has left.
//
// Write reports one byte less than it took: while that byte is owed the subscriber knows that the stream is busy, counts
// the update as waiting, and ends a client that takes nothing for the dispatch timeout.
type multiplexed struct {
	server  *Server
	address netip.Addr
	writer  http.ResponseWriter
	control *http.ResponseController

	// watched is closed when there is a subscriber.
	watched    chan struct{}
	subscriber atomic.Pointer[actors.Subscriber]
	// gone says that the client is not there any more.
	gone atomic.Bool

	// busy says that a chunk is on its way; only the goroutine of the request takes it back.
	busy   atomic.Bool
	chunks chan *[]byte // capacity 1
	quit   chan struct{}

	// owed is the subscriber's.
	owed bool
}

func newMultiplexed(s *Server, e *exchange) *multiplexed {
	return &multiplexed{
		server: s, address: e.peer.conn.address, writer: e.writer, control: http.NewResponseController(e.writer),
		watched: make(chan struct{}), chunks: make(chan *[]byte, 1), quit: make(chan struct{}),
	}
}

// closeGrace is how long what was handed over may take to leave after Close.
const closeGrace = time.Second

// Watch implements actors.Conn.
func (m *multiplexed) Watch(subscriber *actors.Subscriber) {
	if m.subscriber.Swap(subscriber) == nil {
		close(m.watched)
		return
	}
	if m.gone.Load() {
		subscriber.Hangup() // the one before was told
	}
}

// Write implements actors.Conn.
func (m *multiplexed) Write(p []byte) (n int, err error) {
	if m.busy.Load() {
		return 0, nil
	}
	if m.owed && len(p) > 0 {
		m.owed, n = false, 1
	}
	if n == len(p) {
		return n, nil
	}
	m.busy.Store(true)
	buffer := m.server.chunks.Get().(*[]byte)
	*buffer = append((*buffer)[:0], p[n:]...)
	m.chunks <- buffer
	m.owed = true
	return len(p) - 1, nil
}

// Close implements actors.Conn. What was handed over is given a moment to leave.
func (m *multiplexed) Close() error {
	if m.busy.Load() {
		// It takes a moment of the connection's goroutine, which never waits for the network. Before quit is closed the
		// request cannot end under it.
		_ = m.control.SetWriteDeadline(time.Now().Add(closeGrace))
	}
	close(m.quit)
	return nil
}

// run writes until the subscriber has closed the stream. It runs in the request's goroutine.
func (m *multiplexed) run(ctx context.Context) {
	defer m.server.connections.leave(m.address)
	select {
	case <-m.watched:
	case <-m.quit:
		panic(http.ErrAbortHandler)
	}
	begun := false
	for {
		select {
		case buffer := <-m.chunks:
			begun = true
			if m.send(buffer) {
				m.busy.Store(false)
				m.subscriber.Load().Writable()
				continue
			}
		case <-ctx.Done():
		case <-m.quit:
			m.finish(begun)
			return
		}
		m.gone.Store(true)
		m.subscriber.Load().Hangup()
		<-m.quit
		return
	}
}

// finish sends what was handed over before the stream was closed. A stream that never began has no head: to end it in
// order would tell the client that there is nothing.
func (m *multiplexed) finish(begun bool) {
	select {
	case buffer := <-m.chunks:
		m.send(buffer)
	default:
		if !begun {
			panic(http.ErrAbortHandler)
		}
	}
}

func (m *multiplexed) send(buffer *[]byte) bool {
	_, err := m.writer.Write(*buffer)
	m.server.recycle(buffer)
	return err == nil && m.control.Flush() == nil
}

// maxChunk is the largest buffer that is kept for another chunk.
const maxChunk = 128 << 10

func (s *Server) recycle(buffer *[]byte) {
	if cap(*buffer) <= maxChunk {
		s.chunks.Put(buffer)
	}
}
