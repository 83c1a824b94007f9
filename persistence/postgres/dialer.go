package postgres

import (
	"context"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// dialer knows every connection of a log that is open, those included that pgx opens and closes on goroutines of its own
// where a call was given up. Close can so end them all and wait for it.
type dialer struct {
	dial pgconn.DialFunc
	ctx  context.Context
	stop context.CancelFunc

	// mu guards what follows; it is held for work in memory only.
	mu     sync.Mutex
	open   map[*trackedConn]struct{}
	closed bool
	off    bool       // refuses, for tests of a network that is broken
	none   *sync.Cond // broadcast when a connection or an attempt has ended
	dials  int        // attempts under way
}

func newDialer(dial pgconn.DialFunc) *dialer {
	d := &dialer{dial: dial, open: map[*trackedConn]struct{}{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.none = sync.NewCond(&d.mu)
	return d
}

// Dial is a pgconn.DialFunc.
func (d *dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	if d.closed || d.off {
		d.mu.Unlock()
		return nil, net.ErrClosed
	}
	d.dials++
	d.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	conn, err := d.dial(ctx, network, address)

	d.mu.Lock()
	defer d.mu.Unlock()
	d.dials--
	d.none.Broadcast()
	if err != nil {
		return nil, err
	}
	c := &trackedConn{Conn: conn, dialer: d}
	d.open[c] = struct{}{}
	return c, nil
}

// cut ends the connections that are open. Others may be made.
func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.open {
		_ = c.Conn.Close() // whoever uses it closes it as well
	}
}

// refuse ends all connections and makes no other, or ends that.
func (d *dialer) refuse(off bool) {
	d.mu.Lock()
	d.off = off
	d.mu.Unlock()
	if off {
		d.cut()
	}
}

// close ends all connections, and waits until everyone has let go of theirs.
func (d *dialer) close() {
	d.stop()
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cut()
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.open)+d.dials > 0 {
		for c := range d.open {
			_ = c.Conn.Close() // one that was being dialed
		}
		d.none.Wait()
	}
}

// count returns how many connections are open.
func (d *dialer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

// trackedConn is a connection of a dialer.
type trackedConn struct {
	net.Conn
	dialer *dialer
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	err := c.Conn.Close()
	c.dialer.mu.Lock()
	defer c.dialer.mu.Unlock()
	delete(c.dialer.open, c)
	c.dialer.none.Broadcast()
	return err
}
