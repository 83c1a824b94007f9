package persistence

import (
	"context"
	"fmt"

	"hubd/mercure"
)

// ErrHole is wrapped where a page of the history lacks events that no retention has taken. It wraps ErrUnavailable: what
// was not there may be there later, and whoever went on without it would pass over it for good.
var ErrHole = fmt.Errorf("%w: events are missing from its history", ErrUnavailable)

// CheckPage reports an error, which wraps ErrHole, unless the page goes on after the position without a gap. Retention may
// have taken the events up to the position before, so the page may begin anywhere up to the one that follows it. Events
// without topics, which stand in for those that were lost or cannot be read, count like any other.
func CheckPage(page []*mercure.Event, after, before uint64) error {
	due := after + 1
	for i, e := range page {
		if e.Position != due && (i > 0 || e.Position < due || e.Position > before+1) {
			return fmt.Errorf("%w: after position %d, %d comes where %d is due", ErrHole, after, e.Position, due)
		}
		due = e.Position + 1
	}
	return nil
}

// CheckShared is CheckPage for a page that was read from a Shared log. Another node's retention may have taken events of
// which this node is about to hear, so where a page seems to begin too late, the node is made to hear of it first.
func CheckShared(ctx context.Context, log Shared, page []*mercure.Event, after uint64) error {
	return checkFollowed(ctx, log.Bounds, log.Refresh, page, after)
}

func checkFollowed(ctx context.Context, bounds func() (before, head uint64), refresh func(context.Context) error,
	page []*mercure.Event, after uint64,
) error {
	before, _ := bounds()
	err := CheckPage(page, after, before)
	if err == nil || CheckPage(page, after, page[0].Position-1) != nil {
		return err
	}
	if failed := refresh(ctx); failed != nil {
		return fmt.Errorf("%w: whether retention took events after position %d is not known: %w", ErrUnavailable, after, failed)
	}
	before, _ = bounds()
	return CheckPage(page, after, before)
}
