package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"hubd/config"
	"hubd/handover"
	"hubd/persistence"
	"hubd/persistence/bolt"
	"hubd/persistence/memory"
)

const (
	// storeRetry is how often a store that another process holds is tried again.
	storeRetry = 200 * time.Millisecond
	// askRetry is how often its holder is asked for it again.
	askRetry = 2 * time.Second
	// releasedPatience is how long the lock of a store that was just released may take to be free.
	releasedPatience = 2 * time.Second
)

// openStore opens the store of the configuration, which is no server, once.
func (d *daemon) openStore() (persistence.Log, error) {
	retention := d.retention()
	ring := persistence.RingOptions{Bytes: int64(d.cfg.RingBytes)}
	if d.cfg.Store.Scheme() == config.StoreMemory {
		return memory.Open(memory.Options{Retention: retention, Ring: ring})
	}
	log, err := bolt.Open(bolt.Options{Path: d.cfg.Store.Path(), Retention: retention, Ring: ring, Damaged: d.damage.record})
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", d.cfg.Store, err)
	}
	return log, nil
}

// retention is how much history the configuration keeps.
func (d *daemon) retention() persistence.Retention {
	return persistence.Retention{
		MaxEvents: uint64(d.cfg.History.MaxEvents),
		MaxAge:    d.cfg.History.MaxAge,
		MaxBytes:  uint64(d.cfg.History.MaxBytes),
	}
}

// awaitStore opens the store, and again as long as another process holds it, until ctx ends.
func (d *daemon) awaitStore(ctx context.Context) (persistence.Log, error) {
	for {
		log, err := d.openStore()
		if err == nil || !errors.Is(err, persistence.ErrHeld) {
			return log, err
		}
		if wait(ctx, storeRetry/10) != nil {
			return nil, err
		}
	}
}

// obtainStore opens the store. One that another process holds is asked for and, where that process does not hand it
// over, waited for, up to --store-wait: a new hub may start before the old one has ended. With a session the store was
// handed over and the session goes on. Without a listener of its own the hub waits for the holder's address too.
func (d *daemon) obtainStore(ctx context.Context) (persistence.Log, *handover.Session, error) {
	if d.cfg.Store.Engine() != "" {
		// Nobody hands such a store over: a new hub joins those that have it open.
		log, err := d.awaitShared(ctx)
		return log, nil, err
	}
	since := time.Now()
	patience, cancel := context.WithTimeout(ctx, d.cfg.StoreWait)
	defer cancel()
	refused := ""
	for next := since; ; {
		log, err := d.openUnattended(patience)
		if err == nil || !errors.Is(err, persistence.ErrHeld) {
			return log, nil, err
		}
		if d.held.set(d.cfg.Store.Path()) {
			d.log.Warn("waiting for the store", slog.Any("error", err), slog.String("holder", d.held.holder()), slog.Duration("patience", d.cfg.StoreWait))
		}
		if now := time.Now(); !now.Before(next) {
			next = now.Add(askRetry)
			log, session, asked := d.ask(patience, since)
			if asked == nil {
				return log, session, nil
			}
			if text := asked.Error(); text != refused {
				d.log.Info("no handover, waiting for the store's lock", slog.Any("reason", asked))
				refused = text
			}
		}
		if wait(patience, storeRetry) != nil {
			if ctx.Err() != nil {
				return nil, nil, fmt.Errorf("opening the store %s: %w", d.cfg.Store, ctx.Err())
			}
			return nil, nil, fmt.Errorf("%w after %s; end that process, or wait longer with --store-wait", err, d.cfg.StoreWait)
		}
	}
}

// openUnattended opens the store unless a hub attends to it, which may be handing it over. Errors wrap persistence.ErrHeld then.
func (d *daemon) openUnattended(ctx context.Context) (persistence.Log, error) {
	if d.cfg.Store.Scheme() == config.StoreBolt && handover.Attended(ctx, d.cfg.Store.Path()) {
		return nil, fmt.Errorf("opening the store %s: %w: a hub listens beside it", d.cfg.Store, persistence.ErrHeld)
	}
	return d.openStore()
}

// ask asks the holder to hand over, and opens the store when it has let go of it.
func (d *daemon) ask(ctx context.Context, since time.Time) (persistence.Log, *handover.Session, error) {
	session, err := handover.Ask(ctx, handover.AskOptions{Path: d.cfg.Store.Path(), Proposal: d.proposal(since)})
	if err != nil {
		return nil, nil, err
	}
	d.log.Info("taking over", slog.String("from", session.Holder().String()))
	if err := session.AwaitReleased(ctx); err != nil {
		return nil, nil, errors.Join(err, closeListeners(session))
	}
	opening, cancel := context.WithTimeout(ctx, releasedPatience)
	defer cancel()
	log, err := d.awaitStore(opening)
	if err != nil {
		return nil, nil, errors.Join(err, session.Failed(ctx, err), closeListeners(session))
	}
	return log, session, nil
}

func closeListeners(session *handover.Session) error {
	var errs []error
	for _, l := range session.Listeners() {
		errs = append(errs, l.Listener.Close())
	}
	return errors.Join(errs...)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// held is who holds the store while the hub waits for it.
type held struct{ by atomic.Pointer[string] }

// set notes that the store at the path is held, and reports whether that is news.
func (h *held) set(path string) bool {
	text := "another process"
	if holder, err := handover.ReadHolder(path); err == nil {
		text = holder.String()
	}
	before := h.by.Swap(&text)
	return before == nil || *before != text
}

func (h *held) clear() { h.by.Store(nil) }

// holder names the process that holds the store; empty if the hub does not wait for one.
func (h *held) holder() string {
	if by := h.by.Load(); by != nil {
		return *by
	}
	return ""
}
