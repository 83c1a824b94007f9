package sse

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func listenConfig() *net.ListenConfig {
	return &net.ListenConfig{
		KeepAlive: -1, // not by the net package, for each connection
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			if controlled := raw.Control(func(fd uintptr) { err = keepAlive(int(fd)) }); controlled != nil {
				return controlled
			}
			return os.NewSyscallError("setsockopt", err)
		},
	}
}

func keepAlive(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepAliveIdle/time.Second)),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveInterval/time.Second)),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount),
	)
}
