package jetstream

import (
	"context"
	"errors"
)

// found asks the leader for the state after the newest message. Where the stream is shorter than this node knew it, the
// engine has lost messages: sequences have another meaning then, or will have soon.
func (l *Log) found(ctx context.Context) (state, error) {
	known := l.known()
	x, err := l.engine.info(ctx, l.target.stream)
	if err != nil {
		return state{}, err
	}
	s, err := l.foundAt(ctx, x)
	if err != nil {
		return s, err
	}
	floor, err := l.floor(ctx)
	if err != nil {
		return s, err
	}
	s.before = max(s.before, min(floor, s.head))
	if s.sequence < known.sequence {
		l.relearn(known, s)
	}
	return s, nil
}

// foundAt returns the state after the newest message of the stream as it was described, or as it is since.
func (l *Log) foundAt(ctx context.Context, x info) (state, error) {
	for {
		s, err := l.stateAt(ctx, x.State.LastSeq)
		if !errors.Is(err, errNoMessage) {
			return s, err
		}
		newest := x.State.LastSeq
		if x, err = l.engine.info(ctx, l.target.stream); err != nil {
			return state{}, err
		}
		switch {
		case x.State.LastSeq != newest:
			continue // another node appended, and removed what was the newest
		case x.State.Messages > 0:
			// The server came back with less than it had counted. What is left tells what the log was.
			s, err := l.stateLeft(ctx, x)
			s.sequence = newest
			return s, err
		}
		// Somebody purged the whole stream, and with it what the log was. No position so far is greater than this one.
		s = state{sequence: newest, head: newest * messageEvents}
		s.before, s.lastID = s.head, string(l.cipher.Append(nil, s.head))
		return s, nil
	}
}

// stateLeft returns the state after the newest message that is stored, found by halving: it may be any number of
// sequences before the last one.
func (l *Log) stateLeft(ctx context.Context, x info) (state, error) {
	low, high := x.State.FirstSeq, x.State.LastSeq
	for low < high {
		middle := high - (high-low)/2
		m, err := l.engine.get(ctx, l.target.stream, middle, ">")
		switch {
		case err == nil:
			low = m.Sequence
		case errors.Is(err, errNoMessage):
			high = middle - 1
		default:
			return state{}, err
		}
	}
	return l.stateAt(ctx, low)
}

// stateAt returns the state after a message.
func (l *Log) stateAt(ctx context.Context, sequence uint64) (state, error) {
	if sequence == 0 {
		return state{}, nil
	}
	m, err := l.engine.get(ctx, l.target.stream, sequence, "")
	if err != nil {
		return state{}, err
	}
	decoded, err := decode(sequence, m.Data)
	return decoded.state, err
}
