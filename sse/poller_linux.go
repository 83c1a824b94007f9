package sse

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller watches the sockets of all streams with one epoll instance and one goroutine, which the
// runtime's own poller parks while nothing happens.
//
// Sockets are watched edge-triggered, for hang-up at first, and for room as well from the first write on that found one full: a
// new socket has room, which would wake the goroutine for each stream that begins. A stream costs one system call then,
// another when its socket is first full, and none after: Linux reports room only after a write found none.
type poller struct {
	epoll *os.File
	fd    int
	done  sync.WaitGroup

	// mu guards the slots; it is held for a few instructions.
	mu    sync.Mutex
	slots []entry
	free  []int32
}

// slot names a connection to the kernel. The generation tells a late event from one for the slot's new owner.
type slot struct{ index, generation int32 }

type entry struct {
	conn       *conn
	generation int32
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating the poller of streams: %w", os.NewSyscallError("epoll_create1", err))
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("creating the poller of streams: %w", err)
	}
	return &poller{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd}, nil
}

func (p *poller) start() error {
	raw, err := p.epoll.SyscallConn()
	if err != nil {
		return fmt.Errorf("starting the poller of streams: %w", err)
	}
	p.done.Go(func() { p.run(raw) })
	return nil
}

// stop ends the goroutine and closes the epoll instance.
func (p *poller) stop() {
	_ = p.epoll.Close()
	p.done.Wait()
}

func (p *poller) run(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, 256)
	for {
		var n int
		var err error
		closed := raw.Read(func(fd uintptr) bool {
			n, err = unix.EpollWait(int(fd), events, 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
		if closed != nil || err != nil {
			return
		}
		for _, e := range events[:n] {
			p.dispatch(e)
		}
	}
}

func (p *poller) dispatch(e unix.EpollEvent) {
	c := p.lookup(slot{e.Fd, e.Pad})
	switch {
	case c == nil:
	case e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0:
		c.subscriber.Hangup()
	case e.Events&unix.EPOLLOUT != 0 && c.full.CompareAndSwap(true, false):
		c.subscriber.Writable()
	}
}

func (p *poller) lookup(s slot) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.slots[s.index]; e.generation == s.generation {
		return e.conn
	}
	return nil
}

// add watches a detached connection.
func (p *poller) add(c *conn) error {
	p.mu.Lock()
	if len(p.free) == 0 {
		p.slots = append(p.slots, entry{})
		p.free = append(p.free, int32(len(p.slots)-1))
	}
	index := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	e := &p.slots[index]
	e.conn = c
	e.generation++
	c.slot = slot{index, e.generation}
	p.mu.Unlock()

	return p.control(c, unix.EPOLL_CTL_ADD, unix.EPOLLRDHUP|unix.EPOLLET)
}

// awaitRoom has room reported from now on, be it there already.
func (p *poller) awaitRoom(c *conn) error {
	return p.control(c, unix.EPOLL_CTL_MOD, unix.EPOLLRDHUP|unix.EPOLLOUT|unix.EPOLLET)
}

func (p *poller) control(c *conn, operation int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: c.slot.index, Pad: c.slot.generation}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, operation, c.fd, &event))
}

// unwatch takes a socket out of the kernel's list.
func (p *poller) unwatch(c *conn) {
	// It fails for a socket that was never added, or that the kernel has dropped.
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, c.fd, nil)
}

// remove forgets a connection; closing its socket takes it out of the kernel's list.
func (p *poller) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &p.slots[c.slot.index]
	if e.generation != c.slot.generation || e.conn == nil {
		return
	}
	e.conn = nil
	e.generation++
	p.free = append(p.free, c.slot.index)
}
