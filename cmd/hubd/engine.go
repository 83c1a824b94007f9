package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hubd/actors"
	"hubd/persistence"
)

// engine is the part of the hub that stands on the open store. It begins when the store was opened, and ends before the
// store is closed or handed over.
type engine struct {
	store    persistence.Log
	shared   persistence.Shared // store, if other hubs have it open too
	appender *persistence.Store
	hub      *actors.Hub
	peers    peers
	log      *slog.Logger

	closing sync.Once
	ended   chan struct{} // closed by close
}

// newEngine starts an engine on the store, which is the engine's from then on; after an error it is closed.
func (d *daemon) newEngine(ctx context.Context, store persistence.Log) (*engine, error) {
	e := &engine{store: store, log: d.log, ended: make(chan struct{})}
	if err := e.start(ctx, d); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *engine) start(ctx context.Context, d *daemon) error {
	system := actors.NewSystem(d.log)
	var err error
	e.appender, err = persistence.NewStore(persistence.Options{
		Log: e.store, System: system, Observer: &storeWatch{d.metrics, d.log},
		Credits: d.cfg.MaxPending, CreditBytes: int64(d.cfg.MaxPendingBytes),
	})
	if err != nil {
		return err
	}
	if err := e.meet(d); err != nil {
		return err
	}
	batch := int(min(d.cfg.BatchBytes, d.cfg.QueueBytes))
	e.hub, err = actors.New(actors.Options{
		System: system, Log: e.store, Store: e.appender, Space: d.space, HubPath: d.hubPath(), Logger: d.log, Revoked: d.revoked,
		Directory: e.peers.directory(),
		MaxLag:    d.cfg.MaxLag, PublishWait: d.cfg.PublishWait, MaxTopics: d.cfg.MaxTopicActors,
		EndedStreams: d.cfg.EndedStreams, JournalRounds: d.cfg.FanoutJournal,
		QueueBytes: int64(d.cfg.QueueBytes), BatchBytes: batch, PageBytes: batch,
		Heartbeat: d.cfg.Heartbeat, DispatchTimeout: d.cfg.DispatchTimeout,
	})
	if err != nil {
		return err
	}
	if err := e.hub.Start(); err != nil {
		return err
	}
	return e.peers.start(ctx, d)
}

// drain ends the streams, spread over the time.
func (e *engine) drain(over time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), over+stopPatience)
	defer cancel()
	e.hub.Drain(ctx, over)
}

// close ends what was started: what was acknowledged is in the store, which is closed last. Idempotent.
func (e *engine) close() error {
	e.closing.Do(func() { close(e.ended) })
	if e.hub != nil {
		e.hub.Stop()
	}
	e.peers.stop()
	if e.appender != nil {
		e.appender.Stop()
	}
	return e.store.Close()
}

// storeWatch measures commits and logs when the store begins to fail and when that is over.
type storeWatch struct {
	*metrics
	log *slog.Logger
}

// Failing implements persistence.Observer.
func (w *storeWatch) Failing(err error) {
	if err != nil {
		w.log.Error("the store fails, publishes are refused", slog.Any("error", err))
		return
	}
	w.log.Info("the store works again")
}
