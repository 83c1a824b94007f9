package jetstream

import (
	"context"
	"time"

	"hubd/mercure"
)

// unbroken returns events as read does, none of which was left out: they begin at the position from, or where the
// history begins, which the engine says in so many words. That events are missing at the start of what was read says
// nothing: the message that they are in may lie elsewhere than this node thinks, as after a loss, or the server that
// answered may be damaged. So everything is looked up again, and the leader is asked. Positions that it cannot give
// either get events without topics, and are reported.
//
// The state is that after the last message read. Where there are no events it is that after the newest message.
func (l *Log) unbroken(ctx context.Context, from, upto uint64, maxBytes int) ([]*mercure.Event, state, error) {
	for again := false; ; again = true {
		r, err := l.read(ctx, from, upto, maxBytes, again)
		if err != nil {
			return nil, state{}, err
		}
		if len(r.events) > 0 && r.first <= max(from, r.state.before+1) {
			return r.events, r.state, nil
		}
		// Only now, so that it tells of all that had been removed when the events were read.
		known := l.known()
		found, err := l.found(ctx)
		if err != nil {
			return nil, state{}, err
		}
		start := max(from, found.before+1)
		r.state.before = max(r.state.before, min(found.before, r.state.head))
		switch {
		case start > min(upto, found.head):
			return nil, found, nil // nothing is there yet, or any more
		case r.first == 0:
			if !again {
				continue // it came in the meantime, most likely
			}
			pause(ctx, retryPause)
		case r.first <= start:
			return r.events, r.state, nil
		case again:
			return l.passOver(start, min(upto, r.first-1), maxBytes, r.state.time), r.state, nil
		}
		l.relearn(known, found)
	}
}

// relearn forgets where messages lie, and takes what was found after the state known for what the log is. Where readers
// of this node have seen more than that, the follower fills it up first.
func (l *Log) relearn(known, found state) {
	_, head := l.feed.Bounds()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.anchors = nil
	if l.newest.sequence == known.sequence && found.head >= head {
		found.before = max(found.before, min(l.newest.before, found.head))
		l.newest = found
	}
}

// passOver returns events without topics for positions that nothing can be read of, as many as fit into maxBytes of
// frames but at least one, and reports what was not reported before.
func (l *Log) passOver(first, last uint64, maxBytes int, at time.Time) []*mercure.Event {
	var events []*mercure.Event
	for position := first; position <= last; position++ {
		e := l.blank(position, at)
		if maxBytes -= len(e.Frame()); maxBytes < 0 && len(events) > 0 {
			break
		}
		events = append(events, e)
	}
	passed := span{first - 1, first - 1 + uint64(len(events))}
	l.mu.Lock()
	unheard := l.passed.add(passed)
	l.mu.Unlock()
	if l.o.Lost != nil {
		for _, s := range unheard {
			l.o.Lost(s.after, s.upto)
		}
	}
	return events
}

// spansMost is how many spans are remembered; of more the oldest goes.
const spansMost = 1 << 12

// span is the positions after one up to another.
type span struct{ after, upto uint64 }

// spans do not overlap. They are in the order in which they were added.
type spans []span

// add adds a span and returns those parts of it that were not there.
func (s *spans) add(n span) []span {
	parts := []span{n}
	for _, known := range *s {
		if known.upto <= n.after || n.upto <= known.after {
			continue
		}
		var rest []span
		for _, p := range parts {
			if low := (span{p.after, min(p.upto, known.after)}); low.after < low.upto {
				rest = append(rest, low)
			}
			if high := (span{max(p.after, known.upto), p.upto}); high.after < high.upto {
				rest = append(rest, high)
			}
		}
		parts = rest
	}
	*s = append(*s, parts...)
	*s = (*s)[max(0, len(*s)-spansMost):]
	return parts
}
