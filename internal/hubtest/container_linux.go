package hubtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Addresses of every hub in a container: each has a network of its own.
const (
	containerAddress = "0.0.0.0:3000"
	containerAdmin   = "0.0.0.0:3001"
)

// LaunchContainer runs "hubd serve" as a container would: in network, mount, process and host name namespaces of
// its own, with dir as the volume that it shares with others. It returns at once, and skips the test where that is not permitted.
// Everything that is said to the Process is said inside its network.
func LaunchContainer(t testing.TB, dir string, args ...string) *Process {
	t.Helper()
	args = append([]string{"--listen=" + containerAddress, "--admin-listen=" + containerAdmin}, args...)
	p, err := launch(t, dir, &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
	}, args)
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EINVAL):
		t.Skipf("namespaces cannot be made here (%v); it takes root, or CAP_SYS_ADMIN", err)
	case err != nil:
		t.Fatalf("starting hubd: %v", err)
	}
	p.address, p.Admin = "http://"+containerAddress, "http://"+containerAdmin
	p.URL = p.address + "/.well-known/mercure"
	n, err := enterNetwork(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.leave)
	p.client = &http.Client{Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true}}
	return p
}

// network dials within a network namespace: on a thread that is in it, and that ends with the goroutine.
type network struct {
	calls       chan func()
	quit, ended chan struct{}
}

// enterNetwork enters the network namespace of a process and brings its loopback interface up.
func enterNetwork(pid int) (*network, error) {
	n := &network{calls: make(chan func()), quit: make(chan struct{}), ended: make(chan struct{})}
	entered := make(chan error, 1)
	go func() {
		defer close(n.ended)
		// Never unlocked: the runtime then ends the thread, which no other goroutine could use.
		runtime.LockOSThread()
		err := enter(pid)
		entered <- err
		if err != nil {
			return
		}
		for {
			select {
			case call := <-n.calls:
				call()
			case <-n.quit:
				return
			}
		}
	}()
	return n, <-entered
}

func enter(pid int) (err error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the network namespace of process %d: %w", pid, err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering the network namespace of process %d: %w", pid, err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("making a socket: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(s)) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("naming the loopback interface: %w", err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("bringing the loopback interface up: %w", err)
	}
	return nil
}

// dial connects to a port of the loopback interface, whatever the host. It makes the socket on the thread that is in the
// namespace: a socket belongs to the one that it was made in.
func (n *network) dial(ctx context.Context, _, address string) (conn net.Conn, err error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	call := func() {
		defer close(done)
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
	}
	select {
	case n.calls <- call:
		<-done
		return conn, err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-n.ended:
		return nil, net.ErrClosed
	}
}

func (n *network) leave() {
	close(n.quit)
	<-n.ended
}
