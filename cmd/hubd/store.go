package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"hubd/config"
	"hubd/persistence"
	"hubd/persistence/bolt"
	"hubd/persistence/memory"
)

// storeRetry is how often a store that another process holds is tried again.
const storeRetry = 200 * time.Millisecond

// openStore opens the store of the configuration. One that another process holds is waited for, up
// to --store-wait: a new hub may start before the old one has ended.
func openStore(ctx context.Context, cfg *config.Config, logger *slog.Logger) (persistence.Log, error) {
	retention := persistence.Retention{
		MaxEvents: uint64(cfg.History.MaxEvents),
		MaxAge:    cfg.History.MaxAge,
		MaxBytes:  uint64(cfg.History.MaxBytes),
	}
	if cfg.Store.Scheme() == config.StoreMemory {
		return memory.Open(memory.Options{Retention: retention})
	}
	patience := time.NewTimer(cfg.StoreWait)
	defer patience.Stop()
	for waited := false; ; waited = true {
		log, err := bolt.Open(bolt.Options{Path: cfg.Store.Path(), Retention: retention})
		if err == nil {
			return log, nil
		}
		if !errors.Is(err, persistence.ErrHeld) {
			return nil, fmt.Errorf("opening the store %s: %w", cfg.Store, err)
		}
		if !waited {
			logger.Warn("waiting for the store", slog.Any("error", err), slog.Duration("patience", cfg.StoreWait))
		}
		select {
		case <-time.After(storeRetry):
		case <-ctx.Done():
			return nil, fmt.Errorf("opening the store %s: %w", cfg.Store, ctx.Err())
		case <-patience.C:
			return nil, fmt.Errorf("opening the store %s: %w after %s; end that process, or wait longer with --store-wait", cfg.Store, err, cfg.StoreWait)
		}
	}
}
