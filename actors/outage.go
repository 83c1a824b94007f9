package actors

import (
	"math/rand/v2"
	"time"
)

// minPause and maxPause bound the wait before a store that cannot be reached is tried again.
const (
	minPause = wheelTick
	maxPause = 5 * time.Second
)

// backoff spaces attempts: each wait is twice as long as the one before, spread by half, so that hubs which lost their
// store together do not come back together. The zero value begins anew.
type backoff struct{ pause time.Duration }

func (b *backoff) next() time.Duration {
	b.pause = min(max(2*b.pause, minPause), maxPause)
	return b.pause/2 + rand.N(b.pause/2)
}

// outage is what the replayer knows of a store that cannot be reached. What lies in memory, which is the newest part of
// the history, is read meanwhile; who needs older events waits here and keeps no worker.
//
//	        a read needs the store and fails
//	up ─────────────────────────────────────▶ away ─┐ when it is due, one that waits is tried; it fails:
//	 ▲                                         │ ▲  │ the next trial is later
//	 └────────────── it succeeds ──────────────┘ └──┘
//
// It is guarded by the replayer's lock.
type outage struct {
	// waiting are the requests that failed, or would.
	waiting []*readRequest
	// upto is the newest position after which a read failed: all reads after a position up to it need the store.
	upto    uint64
	due     time.Time
	backoff backoff
	// trying says that a trial is under way.
	trying bool
}

func (o *outage) away() bool { return o.backoff.pause > 0 }

// keeps takes a request that would fail.
func (o *outage) keeps(q *readRequest) bool {
	if !o.away() || q.trial || q.after > o.upto {
		return false
	}
	o.waiting = append(o.waiting, q)
	return true
}

// failed takes a request that found the store away.
func (o *outage) failed(q *readRequest, now time.Time) {
	if q.trial || !o.away() {
		o.due = now.Add(o.backoff.next())
	}
	if q.trial {
		q.trial, o.trying = false, false
	}
	o.upto = max(o.upto, q.after)
	o.waiting = append(o.waiting, q)
}

// trial returns the request that is to be tried, once it is due.
func (o *outage) trial(now time.Time) *readRequest {
	if len(o.waiting) == 0 || o.trying || now.Before(o.due) {
		return nil
	}
	q := o.waiting[0]
	o.waiting = o.waiting[1:]
	q.trial, o.trying = true, true
	return q
}

// over returns who waited: the store answers.
func (o *outage) over() []*readRequest {
	waiting := o.waiting
	*o = outage{}
	return waiting
}
