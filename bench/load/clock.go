package load

import "time"

// Clock counts nanoseconds from its start. Publishers stamp updates with it and streams read it when they
// come back, so both must have the same one.
type Clock struct{ start time.Time }

// NewClock starts a clock.
func NewClock() Clock { return Clock{start: time.Now()} }

// Now returns the nanoseconds since the start, never going back.
func (c Clock) Now() int64 { return int64(time.Since(c.start)) }
