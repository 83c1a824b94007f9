package sse

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/net/nettest"
)

// A socket behaves as connections of package net do, whether it has joined Go's poller or not.
func TestSocketIsAConn(t *testing.T) {
	t.Parallel()
	nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		a, err := newAcceptor(l.(*net.TCPListener))
		if err != nil {
			return nil, nil, nil, errors.Join(err, l.Close())
		}
		if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
			return nil, nil, nil, errors.Join(err, a.close())
		}
		s := new(socket)
		if _, err = a.accept(s); err != nil {
			return nil, nil, nil, errors.Join(err, far.Close(), a.close())
		}
		return s, far, func() { _ = errors.Join(s.Close(), far.Close(), a.close()) }, nil
	})
}
