package persistence

import (
	"sync/atomic"
	"time"
)

// health tells whether the log takes appends, and spaces the trials while it does not.
//
//	         an append fails
//	healthy ─────────────────▶ failed ─┐ every interval one append is let through;
//	   ▲                         ▲ │   │ it fails
//	   └─────────────────────────│─┘   │
//	      one succeeds           └─────┘
//
// fail and recover are called by the actor, the others from anywhere.
type health struct {
	now      func() time.Time
	interval time.Duration
	failure  atomic.Pointer[failure]
}

type failure struct {
	err  error
	next atomic.Int64 // time of the next trial, Unix nanoseconds
}

func (h *health) fail(err error) {
	f := &failure{err: err}
	f.next.Store(h.now().Add(h.interval).UnixNano())
	h.failure.Store(f)
}

func (h *health) recover() { h.failure.Store(nil) }

// err returns why the last append failed, or nil.
func (h *health) err() error {
	if f := h.failure.Load(); f != nil {
		return f.err
	}
	return nil
}

// admit returns nil if an append may go to the log, as a trial if the last one failed.
func (h *health) admit() (trial bool, err error) {
	f := h.failure.Load()
	if f == nil {
		return false, nil
	}
	now, next := h.now(), f.next.Load()
	if now.UnixNano() < next || !f.next.CompareAndSwap(next, now.Add(h.interval).UnixNano()) {
		return false, f.err
	}
	return true, nil
}
