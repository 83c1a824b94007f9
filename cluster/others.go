package cluster

import (
	"context"
	"fmt"
	"slices"

	"hubd/mercure"
	"hubd/persistence"
)

// Others lists the active subscriptions of the other nodes. Errors wrap persistence.ErrUnavailable while the engine
// cannot be reached.
func (p *Presence) Others() ([]mercure.Subscription, error) {
	p.listing.Lock()
	defer p.listing.Unlock()
	ctx, cancel := context.WithTimeout(p.quit, callTimeout)
	defer cancel()
	// The number is read first: what changes meanwhile is read again.
	revision, err := p.board.Revision(ctx)
	if err == nil && (!p.listed || revision != p.revision) {
		var entries []persistence.Entry
		if entries, err = p.board.List(ctx); err == nil {
			p.others, p.revision, p.listed = p.elsewhere(entries), revision, true
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing the subscriptions of other nodes: %w", err)
	}
	return slices.Clone(p.others), nil
}

// elsewhere returns the subscriptions of other nodes that are active.
func (p *Presence) elsewhere(entries []persistence.Entry) []mercure.Subscription {
	var others []mercure.Subscription
	for _, e := range entries {
		s, state, err := decode(e.Value)
		if err == nil && e.Holder != p.holder && state.Node == e.Holder && !state.Leaving {
			others = append(others, *s)
		}
	}
	return others
}
