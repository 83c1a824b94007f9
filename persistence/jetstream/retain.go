package jetstream

import (
	"context"
	"errors"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// Events that retention took out of the history are removed from the stream when they are so many, and a sixteenth of
// those retained, as each removal is a request and may make the server copy a block.
const (
	purgeLeast = 256
	purgeShare = 16
)

// How much is read at once of the messages that the retention looks at, and how many events it remembers.
const (
	edgeCount = 512
	edgeBytes = 256 << 10
	edgesMost = 8192
)

// edge is what the retention needs to know of an event.
type edge struct {
	position, size uint64
	total          uint64 // sizes of all events up to this one
	time           time.Time
}

// setback is a message dated before its predecessor; see persistence.Setbacks.
type setback struct {
	head     uint64 // position of its last event
	time     time.Time
	previous uint64 // sequence of the one before it, or 0
}

// edgesOf returns the edges of placed events that follow the state.
func edgesOf(s state, batch []*mercure.Event) []edge {
	edges, total := make([]edge, len(batch)), s.total
	for i, e := range batch {
		size := uint64(persistence.Size(e))
		total += size
		edges[i] = edge{e.Position, size, total, e.Time}
	}
	return edges
}

// retain returns the position before the oldest event to be kept of those up to s and of the placed ones after it, which
// the state next describes.
func (l *Log) retain(ctx context.Context, s, next state, added []edge, now time.Time) (uint64, error) {
	r, before := l.o.Retention, s.before
	if r.MaxEvents > 0 && next.head-before > r.MaxEvents {
		before = next.head - r.MaxEvents
	}
	if r.MaxAge == 0 && r.MaxBytes == 0 {
		return before, nil
	}
	expired, err := l.expired(ctx, s, next, now)
	if err != nil {
		return 0, err
	}
	for before = max(before, expired); before < next.head; {
		e, ok, err := l.edge(ctx, s.head, before+1, added)
		if err != nil {
			return 0, err
		}
		if !ok {
			return next.head, nil
		}
		size := next.total - e.total + e.size
		if e.position == before+1 && !r.Exceeded(next.head-before, size, now.Sub(e.time)) {
			break
		}
		before = max(before+1, e.position-1)
	}
	return before, nil
}

// expired returns a position up to which all events are too old, whatever their times say.
func (l *Log) expired(ctx context.Context, s, next state, now time.Time) (uint64, error) {
	if l.o.Retention.MaxAge == 0 {
		return 0, nil
	}
	sequence := next.setback
	if sequence > s.sequence {
		sequence = s.setback // the events to be appended have no age yet
	}
	for sequence > 0 {
		b, err := l.setback(ctx, sequence)
		if err != nil || b.head <= s.before {
			return 0, err
		}
		if now.Sub(b.time) > l.o.Retention.MaxAge {
			return b.head, nil
		}
		sequence = b.previous
	}
	return 0, nil
}

// setback reads what is known of a stored message dated before its predecessor. One that is gone has a head of 0.
func (l *Log) setback(ctx context.Context, sequence uint64) (setback, error) {
	if b, ok := l.setbacks[sequence]; ok {
		return b, nil
	}
	at, err := l.stateAt(ctx, sequence)
	if errors.Is(err, errNoMessage) {
		return setback{}, nil
	}
	if err != nil {
		return setback{}, err
	}
	b := setback{head: at.head, time: at.time}
	predecessor, err := l.stateAt(ctx, sequence-1)
	if err == nil {
		b.previous = predecessor.setback
	} else if !errors.Is(err, errNoMessage) {
		return setback{}, err
	}
	if l.setbacks == nil {
		l.setbacks = map[uint64]setback{}
	}
	l.setbacks[sequence] = b
	return b, nil
}

// edge returns what is known of the event at the position, or of the next one where it is missing. The events after
// head are those added. It returns false if there is none.
func (l *Log) edge(ctx context.Context, head, position uint64, added []edge) (edge, bool, error) {
	if position > head {
		return added[position-head-1], true, nil
	}
	for len(l.edges) > 0 && l.edges[0].position < position {
		l.edges = l.edges[1:]
	}
	if len(l.edges) == 0 || l.edges[0].position > position {
		var err error
		if l.edges, err = l.readEdges(ctx, position, head); err != nil {
			return edge{}, false, err
		}
	}
	if len(l.edges) > 0 {
		return l.edges[0], true, nil
	}
	if len(added) > 0 {
		return added[0], true, nil
	}
	return edge{}, false, nil
}

// readEdges reads those of the events from the position up to head, or of some of them. Where the first is missing, all
// is looked up again and the leader is asked: retention goes on with what comes after it, for good.
func (l *Log) readEdges(ctx context.Context, from, head uint64) ([]edge, error) {
	edges, err := l.readEdgesOf(ctx, from, head, false)
	if err != nil || len(edges) > 0 && edges[0].position == from {
		return edges, err
	}
	l.unanchor()
	return l.readEdgesOf(ctx, from, head, true)
}

func (l *Log) readEdgesOf(ctx context.Context, from, head uint64, leader bool) ([]edge, error) {
	sequence, err := l.locate(ctx, from)
	if err != nil {
		return nil, err
	}
	var edges []edge
	for len(edges) == 0 {
		page, err := l.pageFrom(ctx, sequence, edgeCount, edgeBytes, leader)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		for _, m := range page {
			sequence = m.Sequence + 1
			decoded, corrupt := decode(m.Sequence, m.Data)
			if corrupt != nil {
				continue // its age must not keep what comes after it from going
			}
			total := decoded.state.total
			for i := range decoded.records {
				total -= decoded.records[i].Size()
			}
			for i := range decoded.records {
				r := &decoded.records[i]
				total += r.Size()
				if r.Position > head {
					return edges, nil
				}
				if r.Position >= from {
					edges = append(edges, edge{r.Position, r.Size(), total, r.Time})
				}
			}
		}
	}
	return edges, nil
}

// note takes stored events into account for what the retention looks at next.
func (l *Log) note(s state, added []edge) {
	if n := len(l.edges); n > 0 && n < edgesMost && l.edges[n-1].position+1 == added[0].position {
		l.edges = append(l.edges, added...)
	} else if n == 0 && s.before+1 >= added[0].position {
		l.edges = added[min(s.before+1-added[0].position, uint64(len(added))):]
	}
	for sequence, b := range l.setbacks {
		if b.head <= s.before {
			delete(l.setbacks, sequence)
		}
	}
}

// purge removes messages that are no longer within the history, if their events are many. The newest one stays whatever
// the retention says: it tells what the log is. A purge that fails is made up for later.
func (l *Log) purge(ctx context.Context, s state) {
	if s.before < l.purged+max(purgeLeast, (s.head-s.before)/purgeShare) {
		return
	}
	l.mu.Lock()
	l.anchors.forget(s.before)
	l.mu.Unlock()
	sequence, err := l.locate(ctx, s.before+1)
	if err == nil && sequence > 1 {
		err = l.purgeTo(ctx, min(sequence, s.sequence), s.before)
	}
	if err == nil {
		l.purged = s.before
	}
}

// purgeTo removes the messages before the sequence, if the one there begins no later than the history: what was known
// of it may be wrong since the engine lost messages, and what is removed is gone on all nodes.
func (l *Log) purgeTo(ctx context.Context, sequence, before uint64) error {
	at, m, err := l.begins(ctx, sequence)
	if err != nil || at == 0 || m.first() > before+1 {
		return err
	}
	return l.engine.purge(ctx, l.target.stream, sequence, "")
}
