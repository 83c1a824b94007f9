package sse

import (
	"context"
	"fmt"
	"net"
	"time"
)

// A peer that vanished without a word is noticed after keepAliveIdle and keepAliveCount probes,
// keepAliveInterval apart.
const (
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 4
)

// Listen listens on a TCP address, host:port. Connections inherit their keep-alive from the listening
// socket where the system has that, which spares each of them four system calls.
func Listen(address string) (*net.TCPListener, error) {
	l, err := listenConfig().Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w; choose another address, or end what uses this one", address, err)
	}
	return l.(*net.TCPListener), nil
}
