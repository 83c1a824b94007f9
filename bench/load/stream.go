//go:build linux

package load

import (
	"hubd/bench/ledger"
	"hubd/bench/wire"
)

// A stream goes through these states; every arrow back to idle closes the socket.
//
//	idle --dial--> connecting --writable--> asking --response head--> open
type streamState uint8

const (
	streamIdle streamState = iota
	streamConnecting
	streamAsking
	streamOpen
)

// stream is one subscriber.
type stream struct {
	fd         int32
	generation int32
	state      streamState
	chunked    bool
	slow       bool
	body       wire.Chunked
	reader     ledger.Reader
	// head holds the beginning of a response head that came in parts.
	head     []byte
	dialedAt int64
	// retry is the reconnection time that the hub has set, in nanoseconds, or 0.
	retry int64
}
