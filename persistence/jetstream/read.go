package jetstream

import (
	"context"
	"errors"

	"hubd/mercure"
	"hubd/persistence"
)

// page reads a page of retained events from the engine.
func (l *Log) page(after uint64, maxBytes int) ([]*mercure.Event, error) {
	ctx, end, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	for {
		before, head := l.feed.Bounds()
		from := max(after, before) + 1
		if from > head {
			return nil, nil
		}
		events, _, err := l.unbroken(ctx, from, head, maxBytes)
		if err != nil {
			return nil, l.failed("read", err)
		}
		if len(events) > 0 {
			return events, nil
		}
		// All of it was removed since the bounds were taken, or the engine has lost it.
		if now, _ := l.feed.Bounds(); now == before {
			return nil, nil
		}
	}
}

// fetchCount is how many messages are asked for at once; their bytes are bounded too.
const fetchCount = 4096

// gathering is an unbroken run of events in the making.
type gathering struct {
	upto    uint64
	left    int    // bytes that the run has room for
	next    uint64 // position from which on events are looked for; once there are some, the one that must come next
	first   uint64 // position of the first event found, which may be beyond upto; 0 while there is none
	records []persistence.Record
	state   state // after the last message looked at
}

// add takes the events of a message. It returns false when the run ends: it is full, or the next position is missing.
func (g *gathering) add(m message) bool {
	g.state = m.state
	for i := range m.records {
		r := &m.records[i]
		if r.Position < g.next {
			continue
		}
		if g.first == 0 {
			g.first, g.next = r.Position, r.Position
		}
		if r.Position > g.upto || r.Position > g.next {
			return false
		}
		if g.left -= len(r.Frame()); g.left < 0 && len(g.records) > 0 {
			return false
		}
		g.records, g.next = append(g.records, *r), r.Position+1
	}
	return true
}

// run is events that follow one another, as they were read.
type run struct {
	events []*mercure.Event
	first  uint64 // as in gathering
	state  state  // after the last message looked at
}

// read returns events from the position on, or from the next one that it finds, up to another: at least one if it finds
// one, and no more than fit into maxBytes of frames. Where a position is missing between events, or cannot be read, the
// run ends. With leader, the leader of the stream is asked and none that may be behind it or damaged.
func (l *Log) read(ctx context.Context, from, upto uint64, maxBytes int, leader bool) (run, error) {
	sequence, err := l.locate(ctx, from)
	if err != nil {
		return run{}, err
	}
	g := gathering{upto: upto, next: from, left: maxBytes}
	for more := true; more && g.next <= upto; {
		page, err := l.pageFrom(ctx, sequence, fetchCount, 2*max(g.left, 0)+4096, leader)
		if err != nil {
			return run{}, err
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			sequence = m.Sequence + 1
			decoded, corrupt := decode(m.Sequence, m.Data)
			if corrupt != nil {
				continue // its positions are missing
			}
			l.anchor(m.Sequence, decoded.first())
			if more = g.add(decoded); !more {
				break
			}
		}
		if g.left <= 0 || leader && len(g.records) > 0 || sequence > l.known().sequence {
			break // there are most likely no more; whoever wants to know asks again
		}
	}
	return run{persistence.RestoreRecords(g.records, l.cipher), g.first, g.state}, nil
}

// pageFrom returns messages from the sequence on: at least one if there is one. Where a server that may be behind has
// none the leader is asked; with leader, no other is, and it gives one.
func (l *Log) pageFrom(ctx context.Context, sequence uint64, count, maxBytes int, leader bool) ([]stored, error) {
	if !leader {
		page, err := l.engine.page(ctx, l.target.stream, sequence, count, maxBytes)
		if err != nil || len(page) > 0 {
			return page, err
		}
	}
	m, err := l.engine.get(ctx, l.target.stream, sequence, ">")
	if errors.Is(err, errNoMessage) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []stored{m}, nil
}
