package persistence

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// refreshTimeout bounds what a refresh may take.
const refreshTimeout = 5 * time.Second

// refreshes lets many ask at once for what one look at the engine answers. The zero value is ready.
type refreshes struct {
	// looking is held by the one look under way.
	looking sync.Mutex
	// mu guards next, the look that has not begun: who comes now is served by it.
	mu   sync.Mutex
	next *refresh
}

type refresh struct {
	done chan struct{}
	err  error
}

// do returns the result of a look that began after the call.
func (r *refreshes) do(ctx context.Context, look func() error) error {
	r.mu.Lock()
	mine, first := r.next, false
	if mine == nil {
		mine, first = &refresh{done: make(chan struct{})}, true
		r.next = mine
	}
	r.mu.Unlock()
	if first {
		r.looking.Lock()
		r.mu.Lock()
		r.next = nil
		r.mu.Unlock()
		mine.err = look()
		close(mine.done)
		r.looking.Unlock()
	}
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// Refresh implements Shared. Those who call it while it looks at the engine share the next look.
func (f *Follower) Refresh(ctx context.Context) error {
	return f.refreshes.do(ctx, func() error {
		ctx, cancel := context.WithTimeout(f.ctx, refreshTimeout)
		defer cancel()
		for target := uint64(0); ; {
			_, head := f.o.Feed.Bounds()
			if target > 0 && head >= target {
				return nil
			}
			events, x, err := f.fetch(ctx, head, 0)
			if err != nil {
				return fmt.Errorf("looking for newer events: %w", err)
			}
			if target == 0 {
				target = x.Head
			}
			if f.publish(events, x); target <= head || len(events) == 0 {
				return nil
			}
		}
	})
}
