package sse

import (
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"hubd/auth"
)

// limitedBearers bounds whom a rate remembers.
const limitedBearers = 20_000

// rate bounds how often each bearer publishes. It is the generic cell rate algorithm, the leaky bucket of ITU-T
// I.371: of a bearer it keeps one time, by which all that it has published would have been due, one after the other.
//
// What it remembers is bounded by two generations, like the grants of tokens: when the young one is full it takes
// the place of the old one, which goes. Whoever is forgotten has a full burst again, which takes as many other
// bearers in the meantime as a generation holds.
type rate struct {
	// interval is the time from one publish to the next, and slack how far ahead of that a burst may be.
	interval, slack time.Duration
	places          int // of one generation
	begun           time.Time
	now             func() time.Time
	limited         atomic.Uint64

	// mu guards the maps, for a look and a change of one entry.
	mu         sync.Mutex
	young, old map[auth.Bearer]time.Duration // since begun
}

// newRate returns nil, which limits nothing, if perSecond is 0. A burst of 0 is one second's worth.
func newRate(perSecond, burst int, now func() time.Time) *rate {
	if perSecond <= 0 {
		return nil
	}
	if burst <= 0 {
		burst = perSecond
	}
	interval := max(1, time.Second/time.Duration(perSecond))
	burst = min(burst, math.MaxInt32)
	return &rate{
		interval: interval, slack: interval * time.Duration(burst-1), places: limitedBearers / 2,
		begun: now(), now: now, young: map[auth.Bearer]time.Duration{},
	}
}

// take counts a publish, or returns after what time the bearer may try again.
func (r *rate) take(b auth.Bearer) (wait time.Duration) {
	now := r.now().Sub(r.begun)
	r.mu.Lock()
	defer r.mu.Unlock()
	due, known := r.young[b]
	if !known {
		due = r.old[b]
	}
	due = max(due, now)
	if wait = due - now - r.slack; wait > 0 {
		return wait
	}
	if !known && len(r.young) >= r.places {
		r.old, r.young = r.young, map[auth.Bearer]time.Duration{}
	}
	r.young[b] = due + r.interval
	return 0
}

// limit answers a publish that is one too many and reports whether it did.
func (s *Server) limit(ctx *fasthttp.RequestCtx, b auth.Bearer) bool {
	if s.rate == nil {
		return false
	}
	wait := s.rate.take(b)
	if wait == 0 {
		return false
	}
	s.rate.limited.Add(1)
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	fail(ctx, fasthttp.StatusTooManyRequests, "this token publishes more often than the hub lets it (--publish-rate)")
	return true
}

// PublishesLimited returns how many publishes were refused because their token had made too many.
func (s *Server) PublishesLimited() uint64 {
	if s.rate == nil {
		return 0
	}
	return s.rate.limited.Load()
}
