package sharedtest

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// awaitTime is the longest that a node waits for news before it looks whether the engine still answers.
const awaitTime = time.Second

// Options are those of Open. Zero fields take the defaults of the back ends.
type Options struct {
	Retention persistence.Retention
	Ring      persistence.RingOptions
	Now       func() time.Time
	Contacted persistence.Contacted
	Lost      func(after, upto uint64)
}

// Node is one node's log on the engine.
type Node struct {
	engine   *Engine
	o        Options
	feed     *persistence.Feed
	follower *persistence.Follower
	cut      atomic.Bool
}

var _ persistence.Shared = (*Node)(nil)

// Open returns a node on the engine, which is not cut off.
func (e *Engine) Open(o Options) (*Node, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	n := &Node{engine: e, o: o, feed: persistence.NewFeed(o.Ring)}
	n.follower = persistence.NewFollower(persistence.FollowerOptions{
		Feed: n.feed, Source: n, Contacted: o.Contacted, Lost: o.Lost, MinWait: time.Millisecond, MaxWait: 10 * time.Millisecond,
	})
	e.mu.Lock()
	e.trim(o.Retention, o.Now())
	n.feed.Reset(e.extent())
	e.mu.Unlock()
	n.follower.Start()
	return n, nil
}

// Cut cuts the node off from its engine, or ends that.
func (n *Node) Cut(off bool) {
	n.cut.Store(off)
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	n.engine.wake()
}

// reach locks the engine if it can be reached.
func (n *Node) reach() (unlock func(), err error) {
	if n.feed.Closed() {
		return nil, persistence.ErrClosed
	}
	if n.cut.Load() {
		return nil, fmt.Errorf("%w: it is cut off", persistence.ErrUnavailable)
	}
	n.engine.mu.Lock()
	return n.engine.mu.Unlock, nil
}

// Append implements persistence.Log.
func (n *Node) Append(batch []*mercure.Event) (uint64, error) {
	unlock, err := n.reach()
	if err != nil {
		return 0, err
	}
	if len(batch) == 0 {
		defer unlock()
		return n.engine.head() + 1, nil
	}
	x := n.engine.append(batch, n.o.Retention, n.o.Now())
	unlock()
	if err := n.follower.Appended(context.Background(), batch, x); err != nil {
		return 0, err
	}
	return batch[0].Position, nil
}

// Find implements persistence.Log.
func (n *Node) Find(id string) (uint64, bool, error) {
	unlock, err := n.reach()
	if err != nil {
		return 0, false, err
	}
	defer unlock()
	before, _ := n.feed.Bounds()
	position, found := n.engine.find(id, before)
	return position, found, nil
}

// Read implements persistence.Log.
func (n *Node) Read(after uint64, maxBytes int) ([]*mercure.Event, error) {
	if n.feed.Closed() {
		return nil, persistence.ErrClosed
	}
	if page, held := n.feed.Read(after, maxBytes); held {
		return page, nil
	}
	return n.page(after, maxBytes)
}

// page reads what readers of this node may see. Where all that they may see has gone from the engine, what took its
// place is about to be seen.
func (n *Node) page(after uint64, maxBytes int) ([]*mercure.Event, error) {
	for {
		before, head := n.feed.Bounds()
		if max(after, before) >= head {
			return nil, nil
		}
		unlock, err := n.reach()
		if err != nil {
			return nil, err
		}
		page := n.engine.page(max(after, before), head, maxBytes)
		unlock()
		if len(page) > 0 {
			return page, nil
		}
		runtime.Gosched()
	}
}

// Bounds implements persistence.Log.
func (n *Node) Bounds() (before, head uint64) { return n.feed.Bounds() }

// LastID implements persistence.Log.
func (n *Node) LastID() string { return n.feed.LastID() }

// Tail implements persistence.Log.
func (n *Node) Tail(after uint64, notify func()) (persistence.Tail, error) {
	return n.feed.Tail(after, notify, n.page)
}

// Contact implements persistence.Shared.
func (n *Node) Contact() error { return n.follower.Contact() }

// Refresh implements persistence.Shared.
func (n *Node) Refresh(ctx context.Context) error { return n.follower.Refresh(ctx) }

// Close implements persistence.Log.
func (n *Node) Close() error {
	n.feed.Close()
	n.follower.Stop()
	return nil
}

// Await implements persistence.Source.
func (n *Node) Await(ctx context.Context, after uint64) error {
	timer := time.NewTimer(awaitTime)
	defer timer.Stop()
	for {
		unlock, err := n.reach()
		if err != nil {
			return err
		}
		head, before, changed := n.engine.head(), n.engine.before, n.engine.changed
		unlock()
		if known, _ := n.feed.Bounds(); head != after || before != known {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Fetch implements persistence.Source.
func (n *Node) Fetch(_ context.Context, after, upto uint64, maxBytes int) ([]*mercure.Event, persistence.Extent, error) {
	unlock, err := n.reach()
	if err != nil {
		return nil, persistence.Extent{}, err
	}
	defer unlock()
	return n.engine.page(after, upto, maxBytes), n.engine.extent(), nil
}

// Fill implements persistence.Source.
func (n *Node) Fill(_ context.Context, head uint64) error {
	unlock, err := n.reach()
	if err != nil {
		return err
	}
	defer unlock()
	n.engine.fill(head, n.o.Now())
	return nil
}
