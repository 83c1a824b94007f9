package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"hubd/config"
	"hubd/persistence"
	"hubd/persistence/jetstream"
	"hubd/persistence/postgres"
	"hubd/persistence/redis"
)

// sharedStore is a log that several hubs share.
type sharedStore interface {
	persistence.Shared
	// Caveats are what the engine, as it is set up, does not promise.
	Caveats() []string
}

// sharedOptions are what the stores on all engines are opened with.
type sharedOptions struct {
	store     config.Store
	retention persistence.Retention
	ring      persistence.RingOptions
	// now dates updates; nil is time.Now.
	now       func() time.Time
	contacted persistence.Contacted
	lost      func(after, upto uint64)
	cut       func()
	damaged   func(position uint64, err error)
}

// opener opens a store on an engine.
type opener func(context.Context, *sharedOptions) (sharedStore, error)

const (
	// minAway and maxAway bound the wait before an engine that cannot be reached is tried again.
	minAway = 200 * time.Millisecond
	maxAway = 5 * time.Second
)

// awaitShared opens the store on its engine, and again as long as that cannot be reached, up to --store-wait.
func (d *daemon) awaitShared(ctx context.Context) (store persistence.Log, err error) {
	err = d.awaitEngine(ctx, "opening", func() error {
		shared, err := d.open(ctx, &sharedOptions{
			store: d.cfg.Store, retention: d.retention(), ring: persistence.RingOptions{Bytes: int64(d.cfg.RingBytes)},
			contacted: d.node.contacted, lost: d.node.lose, cut: d.node.cut, damaged: d.damage.record,
		})
		if err != nil {
			return err
		}
		for _, caveat := range shared.Caveats() {
			d.log.Warn("the store promises less", slog.String("store", d.cfg.Store.String()), slog.String("caveat", caveat))
		}
		store = shared
		return nil
	})
	return store, err
}

// awaitEngine does what takes the engine under the store, and again as long as that cannot be reached, up to --store-wait.
func (d *daemon) awaitEngine(ctx context.Context, doing string, attempt func() error) error {
	patience, cancel := context.WithTimeout(ctx, d.cfg.StoreWait)
	defer cancel()
	defer d.node.unopened(nil)
	for pause := minAway; ; pause = min(2*pause, maxAway) {
		err := attempt()
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%s the store %s: %w", doing, d.cfg.Store, err)
		if !errors.Is(err, persistence.ErrUnavailable) {
			return err
		}
		if d.node.unopened(err) {
			d.log.Warn("waiting for the store", slog.Any("error", err), slog.Duration("patience", d.cfg.StoreWait))
		}
		if wait(patience, pause/2+rand.N(pause)) == nil {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s the store %s: %w", doing, d.cfg.Store, ctx.Err())
		}
		return fmt.Errorf("%w, for %s; start it, or wait longer with --store-wait", err, d.cfg.StoreWait)
	}
}

// openShared opens the store on the engine that its URL names.
func openShared(ctx context.Context, o *sharedOptions) (sharedStore, error) {
	switch o.store.Engine() {
	case config.StoreRedis:
		return opened(redis.Open(ctx, redis.Options{
			URL: o.store.URL(), Retention: o.retention, Ring: o.ring, Now: o.now, Contacted: o.contacted, Lost: o.lost, Damaged: o.damaged,
		}))
	case config.StorePostgres:
		return opened(postgres.Open(ctx, postgres.Options{
			URL: o.store.URL(), Retention: o.retention, Ring: o.ring, Now: o.now, Contacted: o.contacted, Lost: o.lost,
		}))
	case config.StoreNATS:
		return opened(jetstream.Open(ctx, jetstream.Options{
			URL: o.store.URL(), Retention: o.retention, Ring: o.ring, Now: o.now, Contacted: o.contacted, Lost: o.lost, PageCut: o.cut,
		}))
	}
	return nil, fmt.Errorf("%s is on no engine", o.store)
}

// opened makes no store of an error.
func opened[S sharedStore](store S, err error) (sharedStore, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}
