package actors

import "sync/atomic"

// Stats are the hub's counters. All methods may be called from any goroutine.
type Stats struct {
	dispatched atomic.Uint64
	topics     atomic.Int64
	connected  atomic.Int64
	total      atomic.Uint64
	misses     atomic.Uint64
	// handed are the bytes of batches that were handed over, for each subscriber that they are for.
	handed  atomic.Int64
	catchup atomic.Int64
	ended   [reasons]atomic.Uint64
	// tallies are the lanes'.
	tallies []*tally
}

// Dispatched returns the position of the newest event that was fanned out.
func (s *Stats) Dispatched() uint64 { return s.dispatched.Load() }

// Topics returns the number of topic actors.
func (s *Stats) Topics() int64 { return s.topics.Load() }

// Connected returns the number of open streams.
func (s *Stats) Connected() int64 { return s.connected.Load() }

// Total returns the number of streams ever opened.
func (s *Stats) Total() uint64 { return s.total.Load() }

// Deliveries returns the number of events written to sockets, live and from history.
func (s *Stats) Deliveries() uint64 {
	return uint64(s.sum(func(t *tally) *count { return &t.deliveries }))
}

// Replayed returns the number of events written to sockets from history.
func (s *Stats) Replayed() uint64 { return uint64(s.sum(func(t *tally) *count { return &t.replayed })) }

// Misses returns the number of cursors asked for that are not retained.
func (s *Stats) Misses() uint64 { return s.misses.Load() }

// QueuedBytes returns the bytes of events that wait in subscribers' queues; subscribers share them.
func (s *Stats) QueuedBytes() int64 {
	passed := s.sum(func(t *tally) *count { return &t.passed }) // first, so that the difference is not negative
	return max(0, s.handed.Load()-passed+s.sum(func(t *tally) *count { return &t.waiting }))
}

// CatchingUp returns the number of streams that read history instead of following live.
func (s *Stats) CatchingUp() int64 { return s.catchup.Load() }

// Ended returns the number of streams that ended for the reason.
func (s *Stats) Ended(r Reason) uint64 { return s.ended[r].Load() }
