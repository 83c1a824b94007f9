package jetstream

import (
	"context"
	"errors"
	"slices"
	"time"

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
		events, _, err := l.read(ctx, from, head, maxBytes)
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

// gathering is a page of events in the making.
type gathering struct {
	from, upto uint64
	left       int // bytes that the page has room for
	next       uint64
	records    []persistence.Record
	blanks     []uint64 // positions of which nothing can be read
	at         time.Time
	state      state // after the last message
}

func (g *gathering) count() int { return len(g.records) + len(g.blanks) }

// add takes the events of a message. It returns false when the page is full.
func (g *gathering) add(m message) bool {
	g.state = m.state
	for i := range m.records {
		r := &m.records[i]
		if r.Position < g.next {
			continue
		}
		if r.Position > g.upto {
			return false
		}
		for ; g.count() > 0 && g.next < r.Position; g.next++ {
			g.blanks = append(g.blanks, g.next)
		}
		if g.left -= len(r.Frame()); g.left < 0 && g.count() > 0 {
			return false
		}
		g.records, g.next, g.at = append(g.records, *r), r.Position+1, r.Time
	}
	return true
}

// read returns events from the position on, or from the oldest that there is, up to another: at least one if there is
// one, and no more than fit into maxBytes of frames. Positions whose message somebody removed, or that cannot be read,
// get events without topics. The state is that after the message of the last event.
func (l *Log) read(ctx context.Context, from, upto uint64, maxBytes int) ([]*mercure.Event, state, error) {
	sequence, err := l.locate(ctx, from)
	if err != nil {
		return nil, state{}, err
	}
	g := gathering{from: from, upto: upto, next: from, left: maxBytes}
	for more := true; more && g.next <= upto; {
		page, err := l.pageOf(ctx, sequence, fetchCount, 2*max(g.left, 0)+4096)
		if err != nil {
			return nil, state{}, err
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			sequence = m.Sequence + 1
			decoded, corrupt := decode(m.Sequence, m.Data)
			if corrupt != nil {
				continue
			}
			l.anchor(m.Sequence, decoded.first())
			if more = g.add(decoded); !more {
				break
			}
		}
		if g.left <= 0 || sequence > l.known().sequence {
			break // there are most likely no more; whoever wants to know asks again
		}
	}
	events := persistence.RestoreRecords(g.records, l.cipher)
	for _, position := range g.blanks {
		events = append(events, l.blank(position, g.at))
	}
	if len(g.blanks) > 0 {
		slices.SortFunc(events, func(a, b *mercure.Event) int { return int(a.Position) - int(b.Position) })
	}
	return events, g.state, nil
}

// pageOf returns messages from the sequence on: at least one if there is one. Where a server that may be behind has none
// the leader is asked.
func (l *Log) pageOf(ctx context.Context, sequence uint64, count, maxBytes int) ([]stored, error) {
	page, err := l.engine.page(ctx, l.target.stream, sequence, count, maxBytes)
	if err != nil || len(page) > 0 {
		return page, err
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
