package persistence

import (
	"errors"
	"time"

	"hubd/mercure"
)

// Retention bounds a log's history. It is exact: what exceeds it is removed by the append that made
// it so, and what exceeds it when a log is opened, by age or because a bound was lowered, is removed
// then. Zero fields set no bound. The newest event is kept whatever its size, but not whatever its age.
type Retention struct {
	// MaxEvents is the number of events kept.
	MaxEvents uint64
	// MaxAge is how long an event is kept after it was accepted.
	MaxAge time.Duration
	// MaxBytes bounds the sum of the sizes of the events kept; see Size.
	MaxBytes uint64
}

// Validate reports a bound that makes no sense.
func (r Retention) Validate() error {
	if r.MaxAge < 0 {
		return errors.New("retention: the maximum age is negative")
	}
	return nil
}

// Exceeded tells whether the oldest event has to go from a history of count events that have the
// given size together. The age is that of the oldest. Back ends remove from the oldest on until it
// says no.
func (r Retention) Exceeded(count, size uint64, age time.Duration) bool {
	switch {
	case count == 0:
		return false
	case r.MaxEvents > 0 && count > r.MaxEvents:
		return true
	case r.MaxAge > 0 && age > r.MaxAge:
		return true
	}
	return r.MaxBytes > 0 && size > r.MaxBytes && count > 1
}

// Size is what an event counts wherever bytes of events are bounded: its frame and its topics.
func Size(e *mercure.Event) int {
	n := len(e.Frame())
	for _, topic := range e.Topics {
		n += len(topic)
	}
	return n
}
