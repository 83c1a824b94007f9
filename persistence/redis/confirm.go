package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"hubd/persistence"
)

// confirmTime is how long a node waits for whoever stored events to say that the replicas have them, before it asks the
// replicas itself: the appender may have died.
const confirmTime = time.Second

// errReplaced is returned where a server that took over does not have what the replicas confirmed to the one before.
var errReplaced = fmt.Errorf("%w: another server has taken over meanwhile", persistence.ErrUnavailable)

// confirmations is what a node knows of events that are stored and perhaps not on as many replicas as appends wait for.
// Nobody sees such events: with the master they would be lost, and others take their positions.
//
//	           append                WAIT           confirm
//	stored ─────────────▶ in doubt ────────▶ on the replicas ────────▶ confirmed: nodes are woken, and show it
//	                          │                                    ▲
//	                          └─ its appender died: a node leaves ─┘
//	                             a mark, and waits for the mark
//
// Replicas have all that came before what they have, so one answer confirms everything up to there, whoever stored it.
type confirmations struct {
	marks atomic.Uint64 // made by this node, so that no two have the same value

	// mu guards what follows; it is held for work in memory only.
	mu sync.Mutex
	// shown is up to where events were confirmed when the engine was last asked, and stored where they ended.
	shown, stored uint64

	// confirming is held by the one who asks the replicas.
	confirming sync.Mutex

	// Owned by the follower.
	woken uint64 // position of the newest wake
	tried bool   // the replicas did not confirm it
}

func (c *confirmations) note(shown, stored uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown, c.stored = shown, stored
}

// doubtful returns where the events end that are in doubt, or 0 where none is known to be, or more of those that are not
// is to be fetched after the position.
func (c *confirmations) doubtful(after uint64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown > after || c.stored <= after {
		return 0
	}
	return c.stored
}

// confirm notes in the engine that the replicas have everything up to the position, as the key shows that they have the
// value of.
func (l *Log) confirm(ctx context.Context, key, value string, position uint64, last string) error {
	_, err := l.engine.run(ctx, &l.scripts.confirm, []string{l.keys.meta, l.keys.wake, key},
		[]string{l.identity, value, strconv.FormatUint(position, 10), last})
	if errors.Is(err, errStale) {
		return errReplaced
	}
	return err
}

// settle has the replicas confirm everything that is stored, whoever stored it.
func (l *Log) settle(ctx context.Context) error {
	value := strconv.FormatUint(l.confirmations.marks.Add(1), 10)
	m, err := l.engine.run(ctx, &l.scripts.mark, []string{l.keys.meta, l.keys.mark}, []string{l.identity, value})
	if err != nil {
		return err
	}
	if len(m) != 2 {
		return errAnswer
	}
	head, err := m[0].AsUint64()
	if err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	last, err := m[1].ToString()
	if err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return l.confirm(ctx, l.keys.mark, value, head, last)
}

// settleAfter has the replicas confirm what is stored if nothing after the position can be shown meanwhile.
func (l *Log) settleAfter(ctx context.Context, position uint64) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	l.confirmations.confirming.Lock()
	defer l.confirmations.confirming.Unlock()
	if _, head := l.feed.Bounds(); head > position {
		return nil
	}
	return l.settle(ctx)
}

// Refresh implements persistence.Shared. What an appender has answered for is confirmed, unless a failover lost that note
// or its appender could not leave it: where something is in doubt the replicas are asked.
func (l *Log) Refresh(ctx context.Context) error {
	if err := l.follower.Refresh(ctx); err != nil || l.engine.replicas == 0 {
		return err
	}
	_, head := l.feed.Bounds()
	if l.confirmations.doubtful(head) == 0 {
		return nil
	}
	if err := l.settleAfter(ctx, head); err != nil {
		return l.failed("confirm what is stored in", err)
	}
	return l.follower.Refresh(ctx)
}

// awaitOf returns from where on and for how long the follower, which has everything up to the position that can be shown,
// waits for news. With a doubt it does not wait for what it was woken for, and not as long.
func (s source) awaitOf(after uint64) (from uint64, atMost time.Duration, doubt bool) {
	c := &s.confirmations
	doubtful := c.doubtful(after)
	if doubtful == 0 {
		c.tried = false
		return after, awaitTime, false
	}
	from = max(after, min(c.woken, doubtful))
	if from > after && !c.tried {
		// Woken by a node that does not wait for replicas, and so does not confirm.
		return from, 0, true
	}
	return from, confirmTime, true
}

// settleDoubts has the replicas confirm what nobody else has. That they do not is no failure to follow: what is in doubt
// stays so until the next attempt, and appends fail for the same reason. Whether the engine answers at all, the fetch that
// comes next shows.
func (s source) settleDoubts(ctx context.Context, after uint64) {
	s.confirmations.tried = s.settleAfter(ctx, after) != nil
}
