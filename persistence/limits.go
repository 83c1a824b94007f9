package persistence

import (
	"errors"
	"fmt"

	"hubd/mercure"
)

// ErrTooLarge is wrapped when an event is larger than the log can take. It was not touched.
var ErrTooLarge = errors.New("update is larger than the store takes")

// Limited is a log that does not take every batch.
type Limited interface {
	Log

	// Limits returns the bounds of what Append takes. They hold for as long as the log is open.
	Limits() Limits
}

// Limits are bounds of a log; a field that is 0 sets none.
type Limits struct {
	// BatchEvents is the number of events in one batch.
	BatchEvents int
	// EventBytes bounds the RecordCap of an event.
	EventBytes int
}

// limitsOf returns the bounds of any log.
func limitsOf(l Log) Limits {
	if limited, ok := l.(Limited); ok {
		return limited.Limits()
	}
	return Limits{}
}

// admit refuses an event that the log would not take. A batch with it would fail, and the store with it.
func (l Limits) admit(e *mercure.Event) error {
	if l.EventBytes == 0 {
		return nil
	}
	if n := RecordCap(e); n > l.EventBytes {
		return fmt.Errorf("%w: %d bytes, of %d at most", ErrTooLarge, n, l.EventBytes)
	}
	return nil
}
