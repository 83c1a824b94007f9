//go:build linux

package load

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// sources is how many loopback addresses connections are spread over, so that neither the ports of one
// address run out nor the closed connections that still hold them.
const sources = 64

// dialer opens sockets towards addresses, each in its turn.
type dialer struct {
	addrs []netip.AddrPort
	// receiveBuffer is the size of the socket's buffer, or 0 for the kernel's choice.
	receiveBuffer int
	count         int
}

// dial begins to connect and returns at once; the socket becomes writable when it is connected.
func (d *dialer) dial() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open a socket: %w", err)
	}
	if err := d.prepare(fd); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	addr := d.addrs[d.count%len(d.addrs)]
	d.count++
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return -1, errors.Join(fmt.Errorf("connect to %s: %w", addr, err), unix.Close(fd))
	}
	return fd, nil
}

func (d *dialer) prepare(fd int) error {
	if d.receiveBuffer > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, d.receiveBuffer); err != nil {
			return fmt.Errorf("set the receive buffer: %w", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("set no delay: %w", err)
	}
	if !d.addrs[0].Addr().IsLoopback() {
		return nil
	}
	// The port is chosen at connect, where the whole pair of addresses is known to be free.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return fmt.Errorf("choose the port late: %w", err)
	}
	source := [4]byte{127, 0, 0, byte(2 + d.count%sources)}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source}); err != nil {
		return fmt.Errorf("bind to %s: %w", netip.AddrFrom4(source), err)
	}
	return nil
}

// abort makes the next close of the socket reset the connection, which leaves nothing behind in the kernel.
func abort(fd int) error {
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fmt.Errorf("set linger: %w", err)
	}
	return nil
}
