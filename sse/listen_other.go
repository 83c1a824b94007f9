//go:build !linux

package sse

import (
	"net"
	"time"
)

func listenConfig() *net.ListenConfig {
	return &net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
	}}
}

// limitSilence is not available: keep-alive alone finds peers that are gone.
func limitSilence(*net.TCPListener, time.Duration) error { return nil }
