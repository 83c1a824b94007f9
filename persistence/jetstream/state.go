package jetstream

import (
	"encoding/binary"
	"fmt"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// state is what the log is after one message. Each message carries the state that it leads to, so that the newest one
// tells all: what is retained changes in the very step that appends.
//
//	byte     version
//	uvarint  head: position of the last event of the message
//	uvarint  before: position before the oldest event retained, the same throughout a batch
//	uvarint  total: sizes of all events up to head, removed ones included
//	uvarint  setback: sequence of the newest message that is dated before its predecessor, or 0
//	uvarint  chosen: newest position whose publisher chose the id, or 0
//	uvarint  number of events
//	         each: uvarint length, the event's record
type state struct {
	sequence        uint64 // of the message
	head, before    uint64
	total           uint64
	setback, chosen uint64
	time            time.Time // of the event at head; a batch has one
	lastID          string
}

const messageVersion = 1

// stateCap is at least the length of a message without its records.
const stateCap = 1 + 6*binary.MaxVarintLen64

// What one message holds at most: so many events, and so many bytes unless there is one event only. A reader that wants
// less than a message gets all of it.
const (
	messageEvents = 1024
	messageBytes  = 96 << 10
)

func (s *state) extent() persistence.Extent {
	return persistence.Extent{Before: s.before, Head: s.head, LastID: s.lastID}
}

// follow returns the state after a message with the placed events. Before stays as it is.
func (s state) follow(events []*mercure.Event) state {
	last := events[len(events)-1]
	s.sequence++
	if s.head > 0 && last.Time.Before(s.time) {
		s.setback = s.sequence
	}
	for _, e := range events {
		if e.OwnID {
			s.chosen = e.Position
		}
		s.total += uint64(persistence.Size(e))
	}
	s.head, s.time, s.lastID = last.Position, last.Time, last.ID()
	return s
}

// encode returns the message with the events, which lead to the state.
func (s *state) encode(events []*mercure.Event) []byte {
	size := stateCap
	for _, e := range events {
		size += binary.MaxVarintLen32 + persistence.RecordCap(e)
	}
	data := append(make([]byte, 0, size), messageVersion)
	for _, v := range [...]uint64{s.head, s.before, s.total, s.setback, s.chosen, uint64(len(events))} {
		data = binary.AppendUvarint(data, v)
	}
	var record []byte
	for _, e := range events {
		record = persistence.AppendRecord(record[:0], e)
		data = append(binary.AppendUvarint(data, uint64(len(record))), record...)
	}
	return data
}

// headRoom is more than the headers of a message take, with its name and the length of its one event.
const headRoom = 1024

// Limits implements persistence.Limited: an event must fit into a message, and a batch of events whose publishers chose
// the ids into as many messages as the server takes at once.
func (l *Log) Limits() persistence.Limits {
	return persistence.Limits{BatchEvents: MaxBatch, EventBytes: int(l.engine.nc.MaxPayload()) - headRoom - stateCap}
}

// chunks divides a batch into what goes into one message each: events whose ids follow from their positions together,
// others alone, since a message is found by one id.
func chunks(batch []*mercure.Event) [][]*mercure.Event {
	var all [][]*mercure.Event
	for len(batch) > 0 {
		n, size := 0, 0
		for n < len(batch) && n < messageEvents && !batch[n].OwnID {
			if size += persistence.RecordCap(batch[n]); size > messageBytes && n > 0 {
				break
			}
			n++
		}
		n = max(n, 1)
		all, batch = append(all, batch[:n]), batch[n:]
	}
	return all
}

// message is one as decoded: its events are those up to the head of its state.
type message struct {
	state   state
	records []persistence.Record
}

// first returns the position of the first event.
func (m *message) first() uint64 { return m.state.head - uint64(len(m.records)) + 1 }

// decode reads a message without trusting it. Errors wrap persistence.ErrCorrupt.
func decode(sequence uint64, data []byte) (message, error) {
	if len(data) == 0 || data[0] != messageVersion {
		return message{}, fmt.Errorf("%w: message %d is not of a version known", persistence.ErrCorrupt, sequence)
	}
	s, rest, count := state{sequence: sequence}, data[1:], uint64(0)
	for _, v := range [...]*uint64{&s.head, &s.before, &s.total, &s.setback, &s.chosen, &count} {
		n := 0
		if *v, n = binary.Uvarint(rest); n <= 0 {
			return message{}, fmt.Errorf("%w: message %d is cut off", persistence.ErrCorrupt, sequence)
		}
		rest = rest[n:]
	}
	if s.before > s.head || s.setback > sequence || s.chosen > s.head || count == 0 || count > s.head || count > uint64(len(rest)) {
		return message{}, fmt.Errorf("%w: message %d contradicts itself", persistence.ErrCorrupt, sequence)
	}
	m := message{records: make([]persistence.Record, 0, count)}
	for position := s.head - count + 1; position <= s.head; position++ {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return message{}, fmt.Errorf("%w: message %d is cut off", persistence.ErrCorrupt, sequence)
		}
		r, err := persistence.ParseRecord(position, rest[n:n+int(length)])
		if err != nil {
			return message{}, fmt.Errorf("event %d in message %d: %w", position, sequence, err)
		}
		rest = rest[n+int(length):]
		m.records = append(m.records, r)
	}
	newest := &m.records[len(m.records)-1]
	s.time, s.lastID = newest.Time, string(newest.ID())
	m.state = s
	return m, nil
}
