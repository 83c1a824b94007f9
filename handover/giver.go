package handover

import (
	"context"
	"syscall"
)

// Proposal is what a newcomer says of itself and asks for.
type Proposal struct {
	Newcomer Identity `json:"newcomer"`
	// Listeners are the addresses that the newcomer could not bind.
	Listeners []Address `json:"listeners,omitempty"`
	// Streams says that it can go on with live streams.
	Streams bool `json:"streams"`
	// Settings is a fingerprint of what has to be equal for streams to be moved. Only the hubs know what
	// it is made of.
	Settings string `json:"settings,omitempty"`
}

// Terms is what the holder agrees to hand over besides the store.
type Terms struct {
	Listeners []Listener
	Streams   bool
}

// Listener is a listening socket to be shared. It stays the holder's: the newcomer gets a second descriptor of
// the same socket, so a connection that is waiting is accepted by whichever of them accepts.
type Listener struct {
	Address
	// Socket gives the descriptor, as *net.TCPListener does.
	Socket syscall.Conn
}

// Stream is a live connection with all that its next owner must know.
//
// In Give, FD stays the giver's, valid and silent, until settle is called. In Take it is the taker's if
// it returns true. It is non-blocking and close-on-exec.
type Stream struct {
	FD    int
	State []byte
}

// Give hands one stream over. It takes the state's bytes at once and blocks while too many streams are under
// way. After it the stream must not be written to or read from.
//
// For each call settle is called once, during this or a later call or after Streams has returned, on the
// same goroutine. If taken is true the newcomer has the stream, or may have it: close the descriptor without
// writing and without shutting the connection down. If it is false the stream was not moved and nobody
// wrote to it: keep it or end it.
//
// An error says that the newcomer is gone or ctx has ended; the streams not yet given are the holder's.
type Give func(s Stream, settle func(taken bool)) error

// Giver is the hub that holds the store. All methods are called one at a time, and but for Consider in
// this order: Release, then either Resume, or Opened and perhaps Streams.
type Giver interface {
	// Consider answers a newcomer before anything has changed. An error refuses, and its text is told to
	// the newcomer.
	Consider(ctx context.Context, p Proposal) (Terms, error)
	// Release stops taking publishes, waits until all that was acknowledged is stored, and closes the
	// store, so that its lock is free when it returns nil. Streams stay open. After an error Resume
	// is called.
	Release(ctx context.Context) error
	// Resume opens the store again and serves as before; it must bear that Release did nothing or a part.
	// The newcomer may have died this instant: its lock goes with it, but perhaps after its
	// connection, so the lock is worth waiting for until ctx ends. An error says that this hub
	// has no store any more.
	Resume(ctx context.Context) error
	// Opened tells that the newcomer has the store and is about to accept connections: stop accepting.
	Opened()
	// Streams gives every stream that is to go on, and returns when it has given the last. It is called
	// only if the terms included streams.
	Streams(ctx context.Context, give Give) error
}
