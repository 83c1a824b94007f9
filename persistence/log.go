package persistence

import (
	"errors"

	"hubd/mercure"
)

var (
	// ErrClosed is returned by every call on a log after Close.
	ErrClosed = errors.New("log is closed")
	// ErrNotHubStore is wrapped by an opener that finds a file or database that is not a hub's.
	ErrNotHubStore = errors.New("not a hub store")
	// ErrHeld is wrapped by an opener when another process holds the store.
	ErrHeld = errors.New("store is held by another process")
	// ErrCorrupt is wrapped when stored data cannot be read back.
	ErrCorrupt = errors.New("store is corrupt")
	// ErrUnavailable is wrapped by the calls of a log whose engine cannot be reached. Trying again later may help.
	ErrUnavailable = errors.New("store cannot be reached")
)

// Log keeps committed events in one order. Positions start at 1, have no gaps, and are never used
// again, not after retention has removed every event and not after a restart.
//
// All methods may be called from any goroutine, except that Append has one caller at a time: the
// persistence actor.
type Log interface {
	// Append stores the batch in its order, all or nothing, and returns the position of its first
	// event. When it returns without error the batch is durable as far as the back end promises, each
	// event has been placed (position, time, id), and readers and tails can see it. Retention is
	// applied in the same step: what exceeds it is gone when Append returns. The log keeps the events
	// but not the slice.
	//
	// After an error the batch may be stored or not ("failed but persisted", as when a disk reports an
	// error after the write); it must not be appended again, its events are spent. A batch that turns
	// out to have been stored becomes visible with a later append. A log that can no longer append
	// keeps serving reads, and each further append tries again.
	//
	// An empty batch stores nothing and returns the position that the next event will take. After a
	// failed append it tries whether the log can append again.
	Append(batch []*mercure.Event) (first uint64, err error)

	// Find returns the position of the retained event with this id; of several with the same id, the
	// earliest ("Reconnection"), whether the log made the id or a publisher chose it. It never scans the
	// history: finding the oldest event costs what finding the newest does.
	Find(id string) (position uint64, found bool, err error)

	// Read returns retained events after the position in order: at least one if there is one, and no
	// more than fit into maxBytes of frames. An empty page means that nothing is stored after the
	// position. Where events after the position have been removed, the page starts at the oldest that
	// is left. A read holds nothing when it returns, so a slow reader costs the log nothing.
	Read(after uint64, maxBytes int) ([]*mercure.Event, error)

	// Bounds returns the position before the oldest retained event and that of the newest; both are
	// equal when nothing is retained, and 0 when nothing was ever stored.
	Bounds() (before, head uint64)

	// LastID returns the id of the newest event ever stored, or mercure.Earliest if there was none.
	LastID() string

	// Tail follows the log after the position. notify is called, from any goroutine and perhaps
	// once too often, when events may have come; it must not block nor call the log.
	Tail(after uint64, notify func()) (Tail, error)

	// Close releases the store. It waits for calls under way and is idempotent.
	Close() error
}

// Tail is one reader's place in the committed events, local ones and those of other nodes alike. It
// is used by one goroutine at a time.
type Tail interface {
	// Next appends the events after the tail's place to buf, at least one if there is one, and no more
	// than fit into maxBytes of frames. It does not wait for events to come: at the head it
	// returns buf as it was. An event that retention removes is still delivered as long as the log
	// holds it in memory, so that a short history does not thin out live delivery; a tail that fell
	// further behind passes over what is gone.
	Next(buf []*mercure.Event, maxBytes int) ([]*mercure.Event, error)

	// Close ends the notifications.
	Close()
}
