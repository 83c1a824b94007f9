package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"hubd/actors"
	"hubd/auth"
	"hubd/cluster"
	"hubd/mercure"
	"hubd/persistence"
	"hubd/sse"
)

var errStoreAway = fmt.Errorf("%w: its store cannot be reached", sse.ErrUnavailable)

// peers are what a hub shares with others beside its log. The zero value is that of a hub alone.
type peers struct {
	// presence is nil where subscriptions are not tracked.
	presence    *cluster.Presence
	revocations *cluster.Revocations
}

// meet makes what the hub shares with others, if its store is one that they share. The hub is not made yet.
func (e *engine) meet(d *daemon) (err error) {
	shared, is := e.store.(persistence.Shared)
	if !is {
		return nil
	}
	e.shared = shared
	e.peers.revocations, err = cluster.NewRevocations(cluster.RevocationsOptions{
		Log: shared, Node: d.node.name, Refuse: d.verifier.Revoke, Max: d.cfg.MaxRevocations, Logger: d.log,
		End: func(topics []string) error {
			_, err := e.hub.Revoke(topics)
			if errors.Is(err, actors.ErrStopping) {
				return nil // all streams end
			}
			return err
		},
	})
	if err != nil || !d.cfg.Subscriptions {
		return err
	}
	e.peers.presence, err = cluster.NewPresence(cluster.PresenceOptions{
		Log: shared, Store: e.appender, Node: d.node.name, Lease: d.cfg.NodeLease, HubPath: d.hubPath(), Logger: d.log,
	})
	return err
}

// directory is where the hub's subscriptions are listed for others; nil if nowhere.
func (p *peers) directory() actors.Directory {
	if p.presence == nil {
		return nil
	}
	return p.presence
}

// start begins to listen to the others. The hub has been started, and has no streams yet. The engine may have gone away
// since the store was opened: then it is waited for, as it is before that.
func (p *peers) start(ctx context.Context, d *daemon) error {
	if p.presence != nil {
		if err := d.awaitEngine(ctx, "joining", p.presence.Start); err != nil {
			return err
		}
	}
	if p.revocations != nil {
		return d.awaitEngine(ctx, "joining", p.revocations.Start)
	}
	return nil
}

// stop takes leave of the others. The hub has stopped, and the store is still open.
func (p *peers) stop() {
	if p.revocations != nil {
		p.revocations.Stop()
	}
	if p.presence != nil {
		p.presence.Stop()
	}
}

// contact returns why the engine under the store cannot be reached, or nil.
func (e *engine) contact() error {
	if e.shared == nil {
		return nil
	}
	return e.shared.Contact()
}

// subscriptions lists those of all hubs.
func (e *engine) subscriptions() ([]mercure.Subscription, error) {
	all, err := e.hub.Subscriptions()
	if err != nil || e.peers.presence == nil {
		return all, err
	}
	others, err := e.peers.presence.Others()
	if err != nil {
		e.log.Debug("subscriptions are not listed", slog.Any("error", err))
		return nil, errStoreAway
	}
	return append(all, others...), nil
}

// revokeTopics ends the streams that follow one of the topics, at all hubs.
func (e *engine) revokeTopics(topics []string) (int, error) {
	ended, err := e.hub.Revoke(topics)
	if e.peers.revocations != nil {
		err = errors.Join(err, e.peers.revocations.RevokeTopics(topics))
	}
	return ended, err
}

// everywhere takes revocations of tokens, for all hubs.
type everywhere struct{ d *daemon }

// Revoke implements sse.Revoker.
func (r everywhere) Revoke(t auth.Revocation) error {
	if e := r.d.late.engine.Load(); e != nil && e.peers.revocations != nil {
		return e.peers.revocations.Revoke(t)
	}
	return r.d.verifier.Revoke(t)
}

// revocable returns why no revocation can be taken, or nil. A store that fails is no reason: what is revoked holds at this
// hub all the same.
func (d *daemon) revocable() error {
	if d.late.engine.Load() == nil {
		return errNotReady
	}
	return nil
}
