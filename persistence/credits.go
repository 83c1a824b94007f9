package persistence

import "sync/atomic"

// credits bound what publishers have handed over and not got an answer for. They are taken and given
// back without a lock; who gets none is refused rather than made to wait.
type credits struct {
	maxEvents, maxBytes int64
	events, bytes       atomic.Int64

	closing atomic.Bool
	idle    chan struct{} // capacity 1: has a token some time after the last credit came back
}

func newCredits(maxEvents int, maxBytes int64) *credits {
	return &credits{maxEvents: int64(maxEvents), maxBytes: maxBytes, idle: make(chan struct{}, 1)}
}

// take takes the credit for one event, or returns why there is none: ErrBusy or ErrStopped. An event
// larger than all bytes there are gets its credit when nothing else has any.
func (c *credits) take(size int64) error {
	events, bytes := c.events.Add(1), c.bytes.Add(size)
	switch {
	case c.closing.Load():
		c.give(size)
		return ErrStopped
	case events > c.maxEvents || bytes > c.maxBytes && bytes > size:
		c.give(size)
		return ErrBusy
	}
	return nil
}

// give gives a credit back.
func (c *credits) give(size int64) {
	c.bytes.Add(-size)
	if c.events.Add(-1) == 0 && c.closing.Load() {
		select {
		case c.idle <- struct{}{}:
		default:
		}
	}
}

// close refuses further credits and waits until all have come back. Whoever got one saw closing unset
// after counting itself, so either it is counted here or it sees closing set.
func (c *credits) close() {
	c.closing.Store(true)
	for c.events.Load() > 0 {
		<-c.idle
	}
}
