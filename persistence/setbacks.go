package persistence

import "time"

// Setbacks tells how old the events of a log are at least, where their times do not ascend because the
// clock was set back.
//
// An event that is dated in the future, by a clock that was wrong then, would never come of age, and
// would keep all that came after it from going. But it was stored before them. So where an event has come
// of age, so have all before it, whatever their times say. Only the events that are dated before their
// predecessors need to be remembered for that, and of those only the ones that no later one is dated before.
//
// The zero value is that of an empty log. It is used by one goroutine at a time.
type Setbacks struct {
	newest time.Time
	events []setback // positions and times ascend
}

type setback struct {
	position uint64
	at       time.Time
}

// Note takes the next event of the log into account.
func (s *Setbacks) Note(position uint64, at time.Time) {
	if at.Before(s.newest) {
		n := len(s.events)
		for n > 0 && !s.events[n-1].at.Before(at) {
			n--
		}
		s.events = append(s.events[:n], setback{position, at})
	}
	s.newest = at
}

// Expired returns a position up to which all events are older than maxAge, or 0. Those after it that are
// older have times that ascend.
func (s *Setbacks) Expired(now time.Time, maxAge time.Duration) uint64 {
	for n := len(s.events); n > 0 && maxAge > 0; n-- {
		if e := s.events[n-1]; now.Sub(e.at) > maxAge {
			return e.position
		}
	}
	return 0
}

// Forget drops what concerns only events up to the position before, which are no longer retained.
func (s *Setbacks) Forget(before uint64) {
	n := 0
	for n < len(s.events) && s.events[n].position <= before {
		n++
	}
	s.events = s.events[n:]
}
