package persistence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"hubd/mercure"
)

// fetchBytes bounds a page of events that a follower fetches.
const fetchBytes = 1 << 20

// Source is an engine as a follower sees it. Await and Fill are used by one goroutine at a time, Fetch by any.
type Source interface {
	// Await returns when the engine holds events after the position, or may do so, or was asked whether it still
	// answers: at the latest after a few seconds. It returns early when ctx ends.
	Await(ctx context.Context, after uint64) error

	// Fetch returns the committed events after the position, which end at position upto or earlier where upto is
	// not 0: at least one if there is one, no more than fit into maxBytes of frames. Where events after the position
	// have been removed, they start at the oldest that is left. The extent is the engine's after the events were read:
	// its Head is at least that of the events, its Before may have passed them.
	Fetch(ctx context.Context, after, upto uint64, maxBytes int) ([]*mercure.Event, Extent, error)

	// Fill is called when the engine's head is behind the given one, up to which clients may have seen events: the
	// engine has lost them, as a replica may that took over. It makes events without topics, which nobody follows, take
	// the lost positions, so that none of them is used again. Where another node does the same, one of them wins.
	Fill(ctx context.Context, head uint64) error
}

// FollowerOptions are those of NewFollower.
type FollowerOptions struct {
	// Feed is kept up with the source. Required. Its owner has reset it to the extent found in the engine.
	Feed *Feed
	// Source is the engine. Required.
	Source Source
	// MinWait and MaxWait bound the wait before an engine that failed is tried again, which doubles each time and is
	// spread by half: 50 ms and 2 s by default.
	MinWait, MaxWait time.Duration
	// Contacted is told when the engine stops to answer and when it answers again; it may be nil.
	Contacted Contacted
	// Lost is told that the engine lost the events after one position up to another; it may be nil.
	Lost func(after, upto uint64)
}

// Follower keeps the feed of a Shared log up with its engine. What this node appends is published by Appended, what
// others append by the follower's goroutine, each event once and in order. The goroutine runs from Start to Stop.
//
// A lock keeps the two apart; it is held while memory is written, never across I/O.
type Follower struct {
	o       FollowerOptions
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	refreshes refreshes

	// publishing guards the feed's writing side.
	publishing sync.Mutex

	// mu guards lost and is held while they are compared.
	mu   sync.Mutex
	lost error
}

// NewFollower returns a follower that does nothing before Start.
func NewFollower(o FollowerOptions) *Follower {
	if o.MinWait == 0 {
		o.MinWait = 50 * time.Millisecond
	}
	if o.MaxWait == 0 {
		o.MaxWait = 2 * time.Second
	}
	f := &Follower{o: o}
	o.Feed.follower.Store(f)
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Start begins to follow.
func (f *Follower) Start() { f.running.Go(f.run) }

// Stop ends the goroutine and waits for it. Idempotent, and legal before Start.
func (f *Follower) Stop() {
	f.cancel()
	f.running.Wait()
}

// Contact implements Shared.
func (f *Follower) Contact() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost
}

// run fetches what comes until Stop.
func (f *Follower) run() {
	for pause := f.o.MinWait; f.ctx.Err() == nil; {
		err := f.step()
		if f.ctx.Err() != nil {
			return
		}
		f.contact(err)
		if err == nil {
			pause = f.o.MinWait
			continue
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-f.ctx.Done():
		}
		pause = min(2*pause, f.o.MaxWait)
	}
}

// step waits for events after the head and publishes them.
func (f *Follower) step() error {
	_, head := f.o.Feed.Bounds()
	if err := f.o.Source.Await(f.ctx, head); err != nil {
		return err
	}
	_, head = f.o.Feed.Bounds() // own events may have come meanwhile
	_, _, err := f.catchUp(f.ctx, head, 0)
	return err
}

// catchUp publishes a page of what the engine holds after the position, up to position upto if that is not 0, and
// returns the feed's head and the position up to which the engine has removed events.
func (f *Follower) catchUp(ctx context.Context, after, upto uint64) (head, gone uint64, err error) {
	events, x, err := f.fetch(ctx, after, upto)
	if err != nil {
		return 0, 0, err
	}
	if x.Head < after {
		if f.o.Lost != nil {
			f.o.Lost(x.Head, after)
		}
		if err := f.o.Source.Fill(ctx, after); err != nil {
			return 0, 0, fmt.Errorf("passing over lost events: %w", err)
		}
		return after, 0, nil
	}
	return f.publish(events, x), x.Before, nil
}

// fetch fetches a page after the position that has no hole.
func (f *Follower) fetch(ctx context.Context, after, upto uint64) ([]*mercure.Event, Extent, error) {
	events, x, err := f.o.Source.Fetch(ctx, after, upto, fetchBytes)
	if err == nil {
		err = CheckPage(events, after, x.Before)
	}
	return events, x, err
}

// Appended publishes a placed batch that the engine committed for this node, and returns when readers can see it. What
// other nodes committed before it is fetched first. The extent is the engine's after the commit.
func (f *Follower) Appended(ctx context.Context, batch []*mercure.Event, x Extent) error {
	first := batch[0].Position
	for {
		_, head := f.o.Feed.Bounds()
		if head+1 >= first || x.Before+1 >= first {
			f.publish(batch, x)
			return nil
		}
		reached, gone, err := f.catchUp(ctx, head, first-1)
		if err != nil {
			return fmt.Errorf("reading what other nodes appended: %w", err)
		}
		x.Before = max(x.Before, gone) // another node may have taken away meanwhile what was to be read
		if reached == head && gone <= head {
			return fmt.Errorf("%w: nothing is stored after position %d, but something at %d", ErrCorrupt, head, first)
		}
	}
}

// CatchUp publishes what the engine holds up to a position that it has reached, and returns when readers can see it.
func (f *Follower) CatchUp(ctx context.Context, upto uint64) error {
	for {
		_, head := f.o.Feed.Bounds()
		if head >= upto {
			return nil
		}
		// Not only up to there: what is up to there may be taken away meanwhile.
		if reached, gone, err := f.catchUp(ctx, head, 0); err != nil {
			return err
		} else if reached == head && gone <= head {
			return fmt.Errorf("%w: nothing is stored after position %d, but the head is at %d", ErrCorrupt, head, upto)
		}
	}
}

// publish makes those of the events visible that are not yet, and what the extent says of the history's start. Events
// that do not follow the head are left out unless retention took what lay between. It returns the feed's head.
func (f *Follower) publish(events []*mercure.Event, x Extent) uint64 {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	now := f.o.Feed.Extent()
	for len(events) > 0 && events[0].Position <= now.Head {
		events = events[1:]
	}
	next := Extent{Before: max(now.Before, min(x.Before, now.Head)), Head: now.Head, LastID: now.LastID}
	switch {
	case len(events) > 0 && (events[0].Position == now.Head+1 || x.Before+1 >= events[0].Position):
		newest := events[len(events)-1]
		next = Extent{Before: max(now.Before, min(x.Before, newest.Position)), Head: newest.Position, LastID: newest.ID()}
		f.o.Feed.Publish(events, next)
	case len(events) == 0 && x.Before == x.Head && x.Head > now.Head:
		// All that came since is gone already.
		next = x
		f.o.Feed.Reset(x)
	case next.Before != now.Before:
		f.o.Feed.Publish(nil, next)
	default:
		return now.Head
	}
	f.o.Feed.Wake()
	return next.Head
}

// contact notes whether the engine answers, and tells who wants to know.
func (f *Follower) contact(err error) {
	if err != nil && !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	f.mu.Lock()
	changed := (err == nil) != (f.lost == nil)
	f.lost = err
	f.mu.Unlock()
	if changed && f.o.Contacted != nil {
		f.o.Contacted(err)
	}
}
