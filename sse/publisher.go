package sse

import (
	"time"

	"hubd/auth"
)

// publisher is what a connection that publishes keeps from one request to the next. A connection that only
// ever becomes a stream has none.
type publisher struct {
	// memo is what the connection presented last.
	memo auth.Memo
	// readBy is the deadline of reads that begin from now on.
	readBy time.Time
	// reading and writing are the deadlines that the runtime's timers are set to.
	reading, writing time.Time
}

// deadlineSlack is how much sooner than asked a read or a write of a publisher may end.
const deadlineSlack = time.Second

// overdue tells whether a timer has to be set anew to serve a deadline.
func overdue(set, wanted time.Time) bool {
	late := wanted.Sub(set)
	return late < 0 || late >= deadlineSlack
}

// SetReadDeadline implements net.Conn. fasthttp sets three deadlines for each request: to wait for it, to read
// it, to answer it. Those of a busy publisher pass unused and move by milliseconds, so the timers behind them are
// left as they are until they are off by a second. The two for reads alternate; they are compared when a read
// begins, and one that finds the rest of its request in the buffer never does.
func (c *conn) SetReadDeadline(t time.Time) error {
	if c.publisher == nil {
		return c.socket.SetReadDeadline(t)
	}
	c.publisher.readBy = t
	return nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.begun()
	if b := c.publisher; b != nil && overdue(b.reading, b.readBy) {
		if err := c.socket.SetReadDeadline(b.readBy); err != nil {
			return 0, err
		}
		b.reading = b.readBy
	}
	return c.socket.Read(p)
}

// SetWriteDeadline implements net.Conn. It fails on a detached connection: fasthttp calls it between the handler and the
// answer, and leaves the connection when it cannot, without the goroutine that it starts for one that is hijacked.
func (c *conn) SetWriteDeadline(t time.Time) error {
	b := c.publisher
	switch {
	case c.detached:
		return errDetached
	case b != nil && !overdue(b.writing, t):
		return nil
	case b != nil:
		b.writing = t
	}
	return c.socket.SetWriteDeadline(t)
}
