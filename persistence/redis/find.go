package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// goneWait is how long a reader waits before it looks again whether this node has learnt what replaced the events that
// it came for.
const goneWait = 2 * time.Millisecond

// Find implements persistence.Log.
//
// An id that this store made leads to its position by itself, without asking the engine as long as no publisher has
// chosen an id. A publisher may choose any id, such a one and one used before included, and of all events with the id
// the earliest counts.
func (l *Log) Find(id string) (uint64, bool, error) {
	if l.feed.Closed() {
		return 0, false, persistence.ErrClosed
	}
	before, head := l.feed.Bounds()
	made, isMade := l.cipher.Position(id)
	isMade = isMade && made > before && made <= head
	if !l.hasChosen.Load() {
		if !isMade {
			made = 0
		}
		return made, isMade, nil
	}
	ctx, end, err := l.begin(l.ctx)
	if err != nil {
		return 0, false, err
	}
	defer end()
	position, found, err := l.findChosen(ctx, id, before, head)
	if err == nil && isMade && !(found && position <= made) {
		var has bool
		if has, err = l.hasMade(ctx, made); has {
			position, found = made, true
		}
	}
	if err != nil {
		return 0, false, l.failed("find in", err)
	}
	return position, found, nil
}

// hasMade tells whether the event at the position is retained and has the id that the store made for it.
func (l *Log) hasMade(ctx context.Context, position uint64) (bool, error) {
	e := l.feed.At(position)
	if e == nil {
		page, _, err := l.fetch(ctx, position-1, position, 1, false)
		if err != nil {
			return false, err
		}
		if len(page) == 0 { // removed already, which readers learn when the append that did it ends
			before, _ := l.feed.Bounds()
			return position > before, nil
		}
		e = page[0]
	}
	return e.Position == position && !e.OwnID, nil
}

// findChosen returns the earliest event within (before, head] whose publisher chose the id.
func (l *Log) findChosen(ctx context.Context, id string, before, head uint64) (uint64, bool, error) {
	digest := digestOf([]byte(id))
	b := l.engine.client.B()
	members, err := l.engine.client.Do(ctx, b.Zrangebylex().Key(l.keys.ids).
		Min("["+digest+indexPosition(before+1)).Max("["+digest+indexPosition(head)).Limit(0, 1).Build()).AsStrSlice()
	if err != nil {
		return 0, false, unavailable(err)
	}
	if len(members) == 0 {
		return 0, false, nil
	}
	position, err := strconv.ParseUint(members[0][min(digestLen, len(members[0])):], 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%w: the index of ids: %w", persistence.ErrCorrupt, err)
	}
	return position, true, nil
}

// indexPosition writes a position as the index has it: so that it sorts. Scripts count in doubles, which are exact that far.
func indexPosition(position uint64) string { return fmt.Sprintf("%016d", position) }

// Read implements persistence.Log.
func (l *Log) Read(after uint64, maxBytes int) ([]*mercure.Event, error) {
	if l.feed.Closed() {
		return nil, persistence.ErrClosed
	}
	if page, held := l.feed.Read(after, maxBytes); held {
		return page, nil
	}
	return l.page(after, maxBytes)
}

// page reads what readers of this node may see from the engine. Where another node's append has removed all of that,
// this node is about to learn what came instead.
func (l *Log) page(after uint64, maxBytes int) ([]*mercure.Event, error) {
	ctx, end, err := l.begin(l.ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	for {
		before, head := l.feed.Bounds()
		if max(after, before) >= head {
			return nil, nil
		}
		page, _, err := l.fetch(ctx, max(after, before), head, maxBytes, false)
		if err != nil {
			return nil, l.failed("read", err)
		}
		if len(page) > 0 {
			return page, nil
		}
		wait := time.NewTimer(goneWait)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, l.failed("read", fmt.Errorf("%w: %w", persistence.ErrUnavailable, ctx.Err()))
		}
	}
}
