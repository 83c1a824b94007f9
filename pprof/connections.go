package pprof

import (
	"context"
	"net"
	"sync"

	"github.com/valyala/fasthttp"
)

// connections knows the open connections, so that Stop can close those without a request at once and
// join the others. fasthttp's own Shutdown polls, and leaves connections open when it gives up.
type connections struct {
	// open counts the connections; it only grows while the server accepts.
	open sync.WaitGroup

	// mu guards what follows, for the length of a map access.
	mu sync.Mutex
	// busy tells of every open connection whether it has a request that a handler has seen and whose
	// response is not written yet. fasthttp's own states do not: it calls a connection active before
	// the first byte has come.
	busy     map[net.Conn]bool
	draining bool
}

// begin is called by the handler of each request.
func (c *connections) begin(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy[conn] = true
}

// changed is told by fasthttp of every change of a connection's state.
func (c *connections) changed(conn net.Conn, state fasthttp.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case fasthttp.StateNew:
		c.open.Add(1)
		c.busy[conn] = false
	case fasthttp.StateIdle:
		c.busy[conn] = false
	case fasthttp.StateClosed:
		delete(c.busy, conn)
		c.open.Done()
		return
	}
	if c.draining && !c.busy[conn] {
		_ = conn.Close()
	}
}

// drain closes every connection without a request, now and when its request is done.
func (c *connections) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	for conn, busy := range c.busy {
		if !busy {
			_ = conn.Close()
		}
	}
}

// wait returns when all connections are closed. When ctx ends before that it closes them and returns
// ctx's error.
func (c *connections) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.open.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	for conn := range c.busy {
		_ = conn.Close()
	}
	c.mu.Unlock()
	<-done
	return ctx.Err()
}
