package actors

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrBehind is returned for an update that waited in vain for the fan-out to catch up with the log. It was not
// stored; trying again later may help.
var ErrBehind = errors.New("fan-out is behind the log")

// gate holds publishers back while the fan-out is behind: they would fill the log faster than it can be delivered,
// and push what streams have yet to read out of the retained history.
//
// It closes when more than max events wait for the fan-out and opens when half of them do.
type gate struct {
	max      uint64
	patience time.Duration
	// lag returns how many events wait.
	lag func() uint64

	waiting atomic.Int64
	held    atomic.Uint64 // publishers that have ever waited

	// mu guards opened; it is held for a few instructions.
	mu     sync.Mutex
	opened chan struct{} // closed, and replaced, when the gate opens
}

func newGate(limit int, patience time.Duration, lag func() uint64) *gate {
	return &gate{max: uint64(limit), patience: patience, lag: lag, opened: make(chan struct{})}
}

// pass returns at once if the gate is open, and otherwise when it opens; or ErrBehind after the patience, or
// ErrStopping when the hub has ended.
func (g *gate) pass(ended <-chan struct{}) error {
	if g.lag() <= g.max {
		return nil
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	g.held.Add(1)
	timer := time.NewTimer(g.patience)
	defer timer.Stop()
	for {
		opened := g.next()
		// It may have opened before this publisher was counted; then nobody comes to open it again.
		if g.lag() <= g.max {
			return nil
		}
		select {
		case <-opened:
		case <-timer.C:
			return ErrBehind
		case <-ended:
			return ErrStopping
		}
	}
}

func (g *gate) next() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// progress opens the gate if publishers wait and enough was fanned out. Called by the hub actor after each round.
func (g *gate) progress() {
	if g.waiting.Load() == 0 || g.lag() > g.max/2 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
	g.opened = make(chan struct{})
}
