package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hubd/mercure"
	"hubd/persistence"
)

// askAfter is how long the follower waits for a notice before it asks the engine.
const askAfter = 2 * time.Second

const (
	fetchBytes = 1 << 20
	fillCount  = 100
)

// source is the log as its follower sees it.
type source struct{ l *Log }

// notice is told by the engine of the last event of each batch, or by a node of something else.
func (l *Log) notice(m *nats.Msg) {
	if strings.HasPrefix(m.Header.Get(headerAppend), l.node+".") {
		return // the appender knows already
	}
	switch m.Subject {
	case l.wakeSubject(floorToken):
		l.nudge()
		return
	case l.wakeSubject(waitingToken):
		if string(m.Data) != l.node {
			l.waiting.Store(true)
		}
		return
	}
	position, err := strconv.ParseUint(m.Header.Get(headerHead), 10, 64)
	if err != nil {
		return // more of its batch follows
	}
	for seen := l.seen.Load(); position > seen && !l.seen.CompareAndSwap(seen, position); seen = l.seen.Load() {
	}
	l.signal()
	select {
	case l.overtook <- struct{}{}:
	default:
	}
}

// Await implements persistence.Source.
func (s source) Await(ctx context.Context, after uint64) error {
	l := s.l
	deadline := time.NewTimer(askAfter)
	defer deadline.Stop()
	for {
		if !l.engine.nc.IsConnected() {
			return l.failed("follow", errors.New("not connected"))
		}
		if l.asked.Swap(false) || l.seen.Load() > after {
			return nil
		}
		select {
		case <-l.notices:
		case <-deadline.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Fetch implements persistence.Source.
func (s source) Fetch(ctx context.Context, after, upto uint64, maxBytes int) ([]*mercure.Event, persistence.Extent, error) {
	l := s.l
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	if upto == 0 {
		upto = math.MaxUint64
	}
	events, newest, err := l.unbroken(ctx, after+1, upto, maxBytes)
	if err != nil {
		return nil, persistence.Extent{}, l.failed("read", err)
	}
	if seen := l.seen.Load(); len(events) == 0 && seen > newest.head {
		l.seen.CompareAndSwap(seen, newest.head)
	}
	if newest.head >= after {
		l.learn(newest)
		l.raise(newest.before)
	}
	return events, newest.extent(), nil
}

// Fill implements persistence.Source.
func (s source) Fill(ctx context.Context, head uint64) error {
	l := s.l
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	for {
		found, err := l.found(ctx)
		if err != nil {
			return l.failed("fill", err)
		}
		if found.head >= head {
			l.mu.Lock()
			l.newest, l.anchors = found, nil
			l.mu.Unlock()
			return nil
		}
		at, messages := found, []*nats.Msg(nil)
		for at.head < head && len(messages) < fillCount {
			blanks := make([]*mercure.Event, min(head-at.head, messageEvents))
			for i := range blanks {
				blanks[i] = l.blank(at.head+uint64(i)+1, l.o.Now())
			}
			at = at.follow(blanks)
			messages = append(messages, &nats.Msg{Subject: l.eventSubject(madeToken), Data: at.encode(blanks)})
		}
		messages[len(messages)-1].Header = nats.Header{headerHead: []string{strconv.FormatUint(at.head, 10)}}
		_, err = l.publish(ctx, messages, found.sequence, fmt.Sprintf("%s.fill.%d", l.node, found.sequence))
		var refused *apiError
		if errors.As(err, &refused) && refused.conflict() {
			err = nil // another node filled, or the lost events are back
			pause(ctx, retryPause)
		}
		if err != nil {
			return l.failed("fill", err)
		}
	}
}
