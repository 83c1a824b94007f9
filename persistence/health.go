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

// fail and recover report whether that is news.
func (h *health) fail(err error) (news bool) {
	f := &failure{err: err}
	f.next.Store(h.now().Add(h.interval).UnixNano())
	return h.failure.Swap(f) == nil
}

func (h *health) recover() (news bool) {
	if h.failure.Load() == nil {
		return false
	}
	h.failure.Store(nil)
	return true
}

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
