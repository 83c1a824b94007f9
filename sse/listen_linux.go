package sse

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func listenConfig() *net.ListenConfig {
	c := &net.ListenConfig{
		KeepAlive: -1, // not by the net package, for each connection
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			if controlled := raw.Control(func(fd uintptr) { err = prepare(int(fd)) }); controlled != nil {
				return controlled
			}
			return os.NewSyscallError("setsockopt", err)
		},
	}
	// The net package prefers multipath TCP, whose sockets have no user timeout.
	c.SetMultipathTCP(false)
	return c
}

// prepare sets what accepted connections inherit, or what saves a call for each of them.
func prepare(fd int) error {
	return errors.Join(
		noDelay(fd),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepAliveIdle/time.Second)),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveInterval/time.Second)),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount),
		// A client speaks first. Until it does, for a second or two, its connection stays with the system: the first read
		// of an accepted one finds the request, which spares a wake-up and an eighth of what connecting costs.
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1),
	)
}

// limitSilence sets the time for which what was sent may stay without an acknowledgement (TCP_USER_TIMEOUT, RFC 5482),
// on the listening socket, from which those of connections inherit it. A peer that is gone without a word is found
// that long after a write, a heartbeat at the latest; a client whose window stays closed for that long ends, too.
func limitSilence(l *net.TCPListener, timeout time.Duration) error {
	if timeout <= 0 {
		return nil
	}
	milliseconds := int(min(timeout.Milliseconds(), math.MaxInt32))
	err := adjust(l, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, milliseconds)
	})
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) { // a listener made elsewhere may be for multipath TCP
		return fmt.Errorf("setting the user timeout of connections: %w", err)
	}
	return nil
}

// noDelay has connections send at once, whatever is still unacknowledged.
func noDelay(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) }

// adjust sets an option of a listening socket, wherever it was made.
func adjust(l *net.TCPListener, set func(fd int) error) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", failed)
}
