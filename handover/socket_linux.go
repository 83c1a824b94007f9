package handover

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// maxSocketPath is the longest path of a socket that fits sockaddr_un of unix(7) with its final zero.
	maxSocketPath = 107
	// truncatedFlag says that control data was cut off.
	truncatedFlag = unix.MSG_CTRUNC
)

// listenSocket makes the socket at the path, in the place of what another process left there. The caller
// holds the store's lock, so a socket that is there belongs to nobody who does. The socket appears at its
// path in one step, with its mode.
func listenSocket(path string) (*net.UnixListener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s exists and is not a socket", path)
	}
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	defer closeDescriptor(dir)
	// A short name in the open directory, so that neither the path nor the file's name can be too long.
	name := ".hubd-" + rand.Text() + ".sock"
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, name), Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // the name it knows is gone then, and the path may be a newcomer's
	err = unix.Fchmodat(dir, name, 0o600, 0)
	if err == nil {
		err = unix.Renameat(dir, name, dir, filepath.Base(path))
	}
	if err != nil {
		_ = listener.Close()
		_ = unix.Unlinkat(dir, name, 0)
		return nil, &os.PathError{Op: "make socket", Path: path, Err: err}
	}
	return listener, nil
}

// dialSocket connects to the socket at the path. The error wraps ErrNoHolder if there is none or nobody
// listens.
func dialSocket(ctx context.Context, path string) (*net.UnixConn, error) {
	address := path
	if len(path) > maxSocketPath {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, absent(&os.PathError{Op: "open", Path: path, Err: err})
		}
		defer closeDescriptor(fd)
		address = fmt.Sprintf("/proc/self/fd/%d", fd)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
	if err != nil {
		return nil, absent(err)
	}
	return conn.(*net.UnixConn), nil
}

func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%w: %w", ErrNoHolder, err)
	}
	return err
}

// checkPeer refuses a peer that runs as another user than this process and not as root.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var sockErr error
	if err := raw.Control(func(fd uintptr) {
		peer, sockErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if sockErr != nil {
		return os.NewSyscallError("getsockopt", sockErr)
	}
	if own := os.Geteuid(); int(peer.Uid) != own && peer.Uid != 0 {
		return fmt.Errorf("the peer runs as user %d, this process as %d", peer.Uid, own)
	}
	return nil
}

// duplicate returns a second descriptor of the socket. The runtime's own one stays as it is: File would
// hand out one that is set to blocking when it is used.
func duplicate(socket syscall.Conn) (int, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(own uintptr) {
		fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	return fd, os.NewSyscallError("fcntl", dupErr)
}

func controlSpace(descriptors int) int { return unix.CmsgSpace(4 * descriptors) }

func rights(descriptors []int) []byte { return unix.UnixRights(descriptors...) }

// parseRights returns all descriptors in the control data, also those before an error.
func parseRights(control []byte) (descriptors []int, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			return descriptors, fmt.Errorf("%w: control data of type %d", ErrProtocol, m.Header.Type)
		}
		descriptors = append(descriptors, got...)
	}
	return descriptors, nil
}

func closeDescriptor(fd int) { _ = unix.Close(fd) }

func supported() error { return nil }
