package mercure

import (
	"strings"
	"time"
)

// IDLen is the length in bytes of every id that a hub makes: a UUID URN (RFC 9562, section 4).
const IDLen = len("urn:uuid:00000000-0000-0000-0000-000000000000")

// idStart is where the id begins in a frame: the id is the first field of every event.
const idStart = len("id: ")

// Event is an update in the form in which it is stored and delivered. It is made by NewEvent, placed
// in the log by Place, and immutable from then on: all goroutines share it without a lock.
type Event struct {
	// Position is the event's place in the log: 1, 2, 3 and so on without gaps; 0 before Place.
	Position uint64
	// Time is when the log accepted the event.
	Time time.Time
	// Topics are the canonical topic and the alternate ones.
	Topics []string
	// Private restricts delivery to subscribers whose token grants one of Topics.
	Private bool
	// OwnID tells that the publisher chose the id; otherwise it follows from the position.
	OwnID bool

	idLen int
	frame []byte
}

// NewEvent encodes u, which must be valid, as one Server-Sent Event. Where u has no id, the frame
// keeps IDLen bytes free for the one that Place brings.
func NewEvent(u *Update) *Event {
	e := &Event{Topics: u.Topics, Private: u.Private, OwnID: u.ID != "", idLen: len(u.ID)}
	if !e.OwnID {
		e.idLen = IDLen
	}
	size := idStart + e.idLen + len("\ndata: \n\n") + len(u.Data)
	if u.Type != "" {
		size += len("event: \n") + len(u.Type)
	}
	if u.Retry != "" {
		size += len("retry: \n") + len(u.Retry)
	}
	size += len("\ndata: ") * strings.Count(u.Data, "\n")

	b := make([]byte, 0, size)
	b = append(b, "id: "...)
	if e.OwnID {
		b = append(b, u.ID...)
	} else {
		b = b[:idStart+IDLen]
	}
	b = append(b, '\n')
	if u.Type != "" {
		b = append(append(append(b, "event: "...), u.Type...), '\n')
	}
	if u.Retry != "" {
		b = append(append(append(b, "retry: "...), u.Retry...), '\n')
	}
	e.frame = append(appendData(b, u.Data), '\n')
	return e
}

// appendData writes one data field for each line, split on CR, LF and CRLF as the receiver's parser
// would (HTML Living Standard, section 9.2.6).
func appendData(b []byte, data string) []byte {
	for {
		b = append(b, "data: "...)
		i := strings.IndexAny(data, "\r\n")
		if i < 0 {
			return append(append(b, data...), '\n')
		}
		b = append(append(b, data[:i]...), '\n')
		if data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n' {
			i++
		}
		data = data[i+1:]
	}
}

// RestoreEvent rebuilds an event from what a store kept of it: its place, its topics and its frame,
// of which the id takes idLen bytes. The event keeps frame.
func RestoreEvent(position uint64, at time.Time, topics []string, private, ownID bool, idLen int, frame []byte) *Event {
	return &Event{Position: position, Time: at, Topics: topics, Private: private, OwnID: ownID, idLen: idLen, frame: frame}
}

// Place gives the event its place in the log, once, before anyone else sees it. The id is written
// into the frame unless the publisher chose one; it must be IDLen bytes long.
func (e *Event) Place(position uint64, at time.Time, id []byte) {
	e.Position, e.Time = position, at
	if !e.OwnID {
		copy(e.frame[idStart:idStart+IDLen], id)
	}
}

// ID returns the event's id.
func (e *Event) ID() string { return string(e.IDBytes()) }

// IDBytes returns the event's id as a part of the frame, not to be changed.
func (e *Event) IDBytes() []byte { return e.frame[idStart : idStart+e.idLen] }

// Frame returns the whole event as it goes over the wire, blank line included, not to be changed.
func (e *Event) Frame() []byte { return e.frame }
