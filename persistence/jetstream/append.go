package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hubd/mercure"
	"hubd/persistence"
)

// MaxBatch is the number of messages that a server takes as one atomic batch. An event whose publisher chose the id takes
// one of its own, others share one; so Append takes at least so many events at once.
const MaxBatch = 1000

// How long an append waits before it tries again, where nothing was stored or the engine does not answer, and in how
// many parts it divides the time that it has; and how long it lets another node go first.
const (
	retryPause  = 20 * time.Millisecond
	answerShare = 3
	giveWayMost = 100 * time.Millisecond
)

// askAgain is how long an answer may take. A server that is at work answers within milliseconds.
const askAgain = time.Second

// headerAppend names the batch, in its last message. The node's name comes first, so that a node knows its own.
const headerAppend = "Hubd-Append"

// headerHead is the position of the last event of a batch, in its last message.
const headerHead = "Hubd-Head"

// prepared is a batch that is ready to be published.
type prepared struct {
	messages []*nats.Msg
	state    state // after it
	edges    []edge
}

// Append implements persistence.Log.
//
// The batch is stored only where the stream's newest message is the one that this node knows; otherwise another node
// was first, and the batch is made again for the place after it. So the same batch may be sent twice where an answer
// is lost, and is stored once.
func (l *Log) Append(batch []*mercure.Event) (uint64, error) {
	ctx, end, err := l.begin()
	if err != nil {
		return 0, err
	}
	defer end()
	if len(batch) == 0 {
		first, err := l.probe(ctx)
		return first, l.failed("append to", err)
	}
	s, err := l.commit(ctx, batch)
	if err == nil {
		err = l.follower.Appended(ctx, batch, s.extent())
	}
	if err != nil {
		l.suspect = true
		l.nudge() // it may have been stored
		return 0, l.failed("append to", err)
	}
	l.purge(ctx, s)
	return batch[0].Position, nil
}

// commit stores the batch and returns the state after it.
func (l *Log) commit(ctx context.Context, batch []*mercure.Event) (state, error) {
	l.giveWay(ctx)
	l.batches++
	name, now := l.node+"."+strconv.FormatUint(l.batches, 36), l.o.Now()
	s, doubt := l.known(), false
	for try := 0; ; try++ {
		p, err := l.prepare(ctx, s, batch, now, name)
		if err != nil {
			return s, err
		}
		err = l.try(ctx, p.messages, s.sequence, name+"."+strconv.Itoa(try))
		var refused *apiError
		isRefused := errors.As(err, &refused)
		if err != nil && (doubt || !isRefused) {
			// An earlier attempt may have been stored although no answer came.
			if stored, unknown := l.holds(ctx, p.state.sequence, name); unknown != nil {
				// Also a refusal may be for what was stored earlier.
				err, isRefused, doubt = unknown, false, true
			} else if stored {
				err = nil
			}
		}
		switch {
		case err == nil:
			l.learn(p.state)
			for i, part := range chunks(batch) {
				l.anchor(s.sequence+uint64(i)+1, part[0].Position)
			}
			l.note(p.state, p.edges)
			return p.state, nil
		case ctx.Err() != nil:
			return s, fmt.Errorf("%w: %w", persistence.ErrUnavailable, errNoAnswer)
		case isRefused && refused.conflict():
			if s, err = l.overtaken(ctx, s, refused); err != nil {
				return s, err
			}
			doubt = false
			continue
		case isRefused && !refused.passing(), errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrConnectionClosed):
			return s, err
		}
		doubt = doubt || !isRefused
		pause(ctx, retryPause)
	}
}

// try sends the messages and waits for the answer, for a part of the time that the context leaves.
func (l *Log) try(ctx context.Context, messages []*nats.Msg, expected uint64, name string) error {
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout/answerShare)
	defer cancel()
	sequence, err := l.publish(ctx, messages, expected, name)
	if want := expected + uint64(len(messages)); err == nil && sequence != want {
		return fmt.Errorf("%w: a batch was stored up to message %d instead of %d", persistence.ErrCorrupt, sequence, want)
	}
	return err
}

// prepare places the events after the state and makes their messages. Nobody else sees the events yet.
func (l *Log) prepare(ctx context.Context, s state, batch []*mercure.Event, now time.Time, name string) (prepared, error) {
	var id []byte
	for i, e := range batch {
		position := s.head + uint64(i) + 1
		id = l.cipher.Append(id[:0], position)
		e.Place(position, now, id)
	}
	p := prepared{state: s, edges: edgesOf(s, batch)}
	parts := chunks(batch)
	if len(parts) > MaxBatch {
		return p, fmt.Errorf("a batch of %d messages, at most %d can be stored at once", len(parts), MaxBatch)
	}
	states := make([]state, len(parts))
	for i, part := range parts {
		p.state = p.state.follow(part)
		states[i] = p.state
	}
	before, err := l.retain(ctx, s, p.state, p.edges, now)
	if err != nil {
		return p, err
	}
	p.state.before = before
	for i, part := range parts {
		states[i].before = min(before, states[i].head)
		p.messages = append(p.messages, &nats.Msg{Subject: l.eventSubject(token(part[0])), Data: states[i].encode(part)})
	}
	last := len(parts) - 1
	p.messages[last].Header = nats.Header{headerAppend: []string{name}, headerHead: []string{strconv.FormatUint(p.state.head, 10)}}
	return p, nil
}

// holds tells whether the message at the sequence is the last one of the named batch.
func (l *Log) holds(ctx context.Context, sequence uint64, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout/answerShare)
	defer cancel()
	m, err := l.engine.get(ctx, l.target.stream, sequence, "")
	if errors.Is(err, errNoMessage) {
		return false, nil
	}
	return err == nil && m.header(headerAppend) == name, err
}

// giveWay lets another node append first that was overtaken. Otherwise the node whose append was stored would be first
// again and again: it knows at once what comes next, and the others have to ask.
func (l *Log) giveWay(ctx context.Context) {
	select {
	case <-l.overtook: // by what was appended earlier
	default:
	}
	if !l.waiting.Swap(false) {
		return
	}
	select {
	case <-l.overtook:
	case <-time.After(giveWayMost):
	case <-ctx.Done():
	}
}

// overtaken returns the state that another node has brought about.
func (l *Log) overtaken(ctx context.Context, s state, refused *apiError) (state, error) {
	if err := l.engine.nc.Publish(l.wakeSubject(waitingToken), []byte(l.node)); err != nil {
		return s, err
	}
	_, text, _ := strings.Cut(refused.Description, ": ")
	newest, _ := strconv.ParseUint(text, 10, 64)
	if newest > s.sequence {
		if found, err := l.stateAt(ctx, newest); err == nil && found.head > s.head {
			l.learn(found)
			return l.known(), nil
		}
	}
	err := errNoAnswer
	for ctx.Err() == nil {
		_, head := l.feed.Bounds() // first: the head only grows
		found, unknown := l.found(ctx)
		if unknown != nil {
			return s, unknown
		}
		err = errNoAnswer
		switch {
		case found.head < head:
			err = errBehind
			l.nudge() // so that the follower passes over what was lost
		case found.sequence != s.sequence && found.sequence >= newest:
			// With a lower sequence another node has filled up what was lost, in fewer messages.
			l.learn(found)
			return l.known(), nil
		}
		// The leader has accepted what it has not committed yet, or events were lost.
		pause(ctx, retryPause)
	}
	return s, fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
}

// probe finds out whether the log can append, and makes visible what was stored without an answer.
func (l *Log) probe(ctx context.Context) (uint64, error) {
	_, seen := l.feed.Bounds() // first: the head only grows
	s, err := l.found(ctx)
	if err != nil {
		return 0, err
	}
	if seen > s.head {
		l.nudge()
		return 0, fmt.Errorf("%w: %w", persistence.ErrUnavailable, errBehind)
	}
	if l.suspect {
		if err := l.rewriteFloor(ctx, s.before); err != nil {
			return 0, err
		}
	}
	for {
		_, head := l.feed.Bounds()
		if head >= s.head {
			l.suspect = false
			return head + 1, nil
		}
		events, x, err := source{l}.Fetch(ctx, head, 0, fetchBytes)
		if err != nil {
			return 0, err
		}
		if len(events) == 0 {
			// All of it is gone already; the follower says so.
			l.nudge()
			l.suspect = false
			return x.Head + 1, nil
		}
		if err := l.follower.Appended(ctx, events, x); err != nil {
			return 0, err
		}
		_, s.head = l.feed.Bounds()
	}
}

// pause waits, but not beyond the context's end.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
