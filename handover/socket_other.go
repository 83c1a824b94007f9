//go:build !linux

package handover

import (
	"context"
	"net"
	"syscall"
)

const truncatedFlag = 0

// Listen and Ask return before any of these is reached.

func supported() error { return ErrNotSupported }

func listenSocket(string) (*net.UnixListener, error) { return nil, ErrNotSupported }

func dialSocket(context.Context, string) (*net.UnixConn, error) { return nil, ErrNotSupported }

func checkPeer(*net.UnixConn) error { return ErrNotSupported }

func duplicate(syscall.Conn) (int, error) { return -1, ErrNotSupported }

func controlSpace(int) int { return 0 }

func rights([]int) []byte { return nil }

func parseRights([]byte) ([]int, error) { return nil, ErrNotSupported }

func closeDescriptor(int) {}
