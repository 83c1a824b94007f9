package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"time"

	"hubd/actors"
	"hubd/auth"
	"hubd/config"
	"hubd/persistence"
	"hubd/pprof"
	"hubd/sse"
	"hubd/topics"
)

// stopPatience is how long a stop waits for requests under way after the streams have ended.
const stopPatience = 5 * time.Second

// serve runs the hub until ctx ends, and then stops it in order; see daemon.stop.
func serve(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	logger := newLogger(cfg, stderr)
	for _, note := range cfg.Notes {
		logger.Warn("configuration", slog.String("note", note))
	}
	listener, err := sse.Listen(cfg.Listen)
	if err != nil {
		return err
	}
	d := &daemon{cfg: cfg, log: logger, listener: listener, damage: damage{log: logger}}
	if err := d.start(ctx, stdout); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = nil // asked to stop while it waited for its store
		}
		return errors.Join(err, d.stop())
	}
	select {
	case <-ctx.Done():
		logger.Info("stopping", slog.Duration("drain", cfg.Drain))
		return d.stop()
	case err := <-d.hub.Fault():
		// Streams must not be told anything more: they resume from their cursors.
		return err
	}
}

// daemon is the running hub: the rooms, wired.
type daemon struct {
	cfg      *config.Config
	log      *slog.Logger
	listener *net.TCPListener

	metrics  *metrics
	space    *topics.Space
	verifier *auth.Verifier
	store    persistence.Log
	damage   damage
	appender *persistence.Store
	hub      *actors.Hub
	late     lateHub
	server   *sse.Server
	admin    *pprof.Server
}

// url is the hub's URL: as configured, or by its address.
func (d *daemon) url() string {
	if len(d.cfg.PublicURLs) > 0 {
		return d.cfg.PublicURLs[0]
	}
	return "http://" + d.listener.Addr().String() + sse.Path
}

// fixedAudience is the resource identifier of every request, or nothing if there are several public URLs, of which
// the request's host chooses one. It is never what a request alone says: a token for another hub would do.
func (d *daemon) fixedAudience() string {
	if d.cfg.Audience == "" && len(d.cfg.PublicURLs) > 1 {
		return ""
	}
	return d.audience()
}

// hubPath is the path of the hub's URL, below which the topics of the hub itself lie.
func (d *daemon) hubPath() string {
	if u, err := url.Parse(d.url()); err == nil && u.Path != "" {
		return u.Path
	}
	return sse.Path
}

// start brings the hub up: first the servers, which say that it is not ready, then the store and what
// stands on it. What was started before an error is left to stop.
func (d *daemon) start(ctx context.Context, stdout io.Writer) error {
	var err error
	d.space, err = topics.NewSpace(topics.Options{BaseURL: d.url(), CacheBytes: int64(d.cfg.SelectorCacheBytes)})
	if err != nil {
		return err
	}
	d.metrics = newMetrics()
	minter, err := d.tokens()
	if err != nil {
		return err
	}
	if err := d.startServers(); err != nil {
		return err
	}
	if d.store, err = openStore(ctx, d.cfg, d.log, d.damage.record); err != nil {
		return err
	}
	if err := d.startHub(); err != nil {
		return err
	}
	d.metrics.watch(d)
	d.late.set(d.hub)
	admin := ""
	if d.admin != nil {
		admin = d.admin.Addr().String()
	}
	d.log.Info("serving", slog.String("url", d.url()), slog.String("address", d.listener.Addr().String()), slog.String("admin", admin), slog.String("store", d.cfg.Store.String()))
	if minter != nil {
		return d.greet(stdout, minter)
	}
	return nil
}

func (d *daemon) startServers() error {
	var err error
	d.server, err = sse.New(sse.Options{
		Listener: d.listener, Hub: &d.late, Ready: d.ready, Verifier: d.verifier, Observer: d.metrics, Logger: d.log,
		Protocol: protocol(d.cfg), Reserved: d.space.Reserved, Audience: d.fixedAudience(), PublicURLs: d.cfg.PublicURLs,
		Anonymous: d.cfg.Anonymous, Cookies: cookies(d.cfg),
		HubPath: d.hubPath(), Subscriptions: d.cfg.Subscriptions, GapNotice: d.cfg.GapNotice,
		CORSOrigins: d.cfg.CORSOrigins, PublishOrigins: d.cfg.PublishOrigins,
		Lifetime: d.cfg.WriteTimeout, MaxConnections: d.cfg.MaxConnections, MaxConnectionsPerIP: d.cfg.MaxConnectionsPerIP,
		MaxMatchers: d.cfg.MaxMatchers, MaxTopics: d.cfg.MaxTopics, MaxBody: int(d.cfg.MaxBody),
	})
	if err != nil {
		return err
	}
	if err := d.server.Start(); err != nil {
		return err
	}
	if d.cfg.AdminListen == "" {
		return nil
	}
	d.admin, err = pprof.New(pprof.Options{Listen: d.cfg.AdminListen, Ready: d.ready, Metrics: d.metrics.registry, Logger: d.log})
	if err != nil {
		return err
	}
	return d.admin.Start()
}

func (d *daemon) startHub() error {
	system := actors.NewSystem(d.log)
	var err error
	d.appender, err = persistence.NewStore(persistence.Options{Log: d.store, System: system, Observer: d.metrics})
	if err != nil {
		return err
	}
	d.hub, err = actors.New(actors.Options{
		System: system, Log: d.store, Store: d.appender, Space: d.space, HubPath: d.hubPath(), Logger: d.log,
		QueueBytes: int64(d.cfg.QueueBytes), Heartbeat: d.cfg.Heartbeat, DispatchTimeout: d.cfg.DispatchTimeout,
	})
	if err != nil {
		return err
	}
	return d.hub.Start()
}

// ready returns why the hub cannot serve, or nil.
func (d *daemon) ready() error {
	if !d.late.isSet() {
		return errNotReady
	}
	return d.appender.Err()
}

// stop ends the hub so that nothing that was acknowledged is lost and every stream knows: no new
// connections, no publishes; what was committed is delivered; then the streams end, spread over the
// drain time, the ends of subscriptions are stored, and the store closes last.
func (d *daemon) stop() error {
	var errs []error
	if d.server != nil {
		d.server.Refuse()
	} else {
		_ = d.listener.Close()
	}
	if d.hub != nil {
		d.drain()
		d.hub.Stop()
	}
	if d.appender != nil {
		d.appender.Stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if d.server != nil {
		errs = append(errs, d.server.Stop(ctx))
	}
	if d.admin != nil {
		errs = append(errs, d.admin.Stop(ctx))
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.verifier != nil {
		d.verifier.Close()
	}
	if d.space != nil {
		d.space.Close()
	}
	return errors.Join(errs...)
}

func (d *daemon) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.Drain+stopPatience)
	defer cancel()
	d.hub.Drain(ctx, d.cfg.Drain)
}
