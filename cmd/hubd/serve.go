package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"hubd/auth"
	"hubd/config"
	"hubd/handover"
	"hubd/persistence"
	"hubd/pprof"
	"hubd/sse"
	"hubd/topics"
)

// stopPatience is how long a stop waits for requests under way after the streams have ended.
const stopPatience = 5 * time.Second

// lingerPoll is how often a hub that was relieved looks whether clients are left.
const lingerPoll = 20 * time.Millisecond

// serve runs the hub until ctx ends, and then stops it in order, or until another process has taken its place.
func serve(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	logger := newLogger(cfg, stderr)
	for _, note := range cfg.Notes {
		logger.Warn("configuration", slog.String("note", note))
	}
	defer limitMemory(memlimit.FromCgroup, logger)()
	d := &daemon{cfg: cfg, log: logger, damage: damage{log: logger}, faults: make(chan error, 1)}
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
	case result := <-d.heir.done():
		return d.leave(ctx, result)
	case err := <-d.faults:
		// Streams must not be told anything more: they resume from their cursors.
		return err
	}
}

// daemon is the running hub: the rooms, wired.
type daemon struct {
	cfg *config.Config
	log *slog.Logger
	// listener is nil while another process has the address; see obtainStore.
	listener *net.TCPListener
	// settings is the fingerprint of what must be equal for streams to be moved.
	settings string

	metrics  *metrics
	damage   damage
	held     held
	space    *topics.Space
	verifier *auth.Verifier
	late     lateHub
	server   *sse.Server
	edge     atomic.Pointer[sse.Server] // server, for metrics, which may be asked for before there is one
	admin    *pprof.Server
	heir     *heir

	faults   chan error
	stopping atomic.Bool
}

// url is the hub's URL: as configured, or by its address.
func (d *daemon) url() string {
	if len(d.cfg.PublicURLs) > 0 {
		return d.cfg.PublicURLs[0]
	}
	return "http://" + d.address() + sse.Path
}

// address is the one that the hub listens on. Where another process has it, it follows from the configuration, to the
// same text.
func (d *daemon) address() string {
	if d.listener != nil {
		return d.listener.Addr().String()
	}
	a, err := net.ResolveTCPAddr("tcp", d.cfg.Listen)
	if err != nil {
		return d.cfg.Listen
	}
	if a.IP == nil {
		a.IP = net.IPv6unspecified
	}
	return a.String()
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
	busy := d.listen()
	if busy != nil && !d.mayInherit(busy) {
		return busy
	}
	minter, err := d.prepare()
	if err != nil {
		return err
	}
	if err := d.startServers(); err != nil {
		return err
	}
	store, session, err := d.obtainStore(ctx)
	if err != nil {
		return err
	}
	if session != nil {
		defer session.Close()
	}
	if err := d.takePlace(ctx, store, session, busy); err != nil {
		return err
	}
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

// listen binds the address.
func (d *daemon) listen() error {
	l, err := sse.Listen(d.cfg.Listen)
	if err == nil {
		d.listener = l
	}
	return err
}

// mayInherit reports whether an address in use may be that of a hub whose place this one is to take.
func (d *daemon) mayInherit(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) && d.cfg.Store.Scheme() == config.StoreBolt
}

// prepare makes what needs neither an address nor the store.
func (d *daemon) prepare() (minter *auth.MintOptions, err error) {
	d.space, err = topics.NewSpace(topics.Options{BaseURL: d.url(), CacheBytes: int64(d.cfg.SelectorCacheBytes)})
	if err != nil {
		return nil, err
	}
	d.metrics = newMetrics()
	if minter, err = d.tokens(); err != nil {
		return nil, err
	}
	d.metrics.watch(d)
	d.settings, err = d.fingerprint(minter != nil)
	return minter, err
}

// startServers starts what has its address and was not started before.
func (d *daemon) startServers() error {
	if d.server == nil && d.listener != nil {
		if err := d.startServer(); err != nil {
			return err
		}
	}
	if d.admin != nil || d.cfg.AdminListen == "" {
		return nil
	}
	err := d.startAdmin(nil)
	if err != nil && d.mayInherit(err) && d.listener == nil {
		return nil // the holder's, as is the hub's address
	}
	return err
}

func (d *daemon) startServer() error {
	server, err := sse.New(sse.Options{
		Listener: d.listener, Hub: &d.late, Ready: d.serving, Verifier: d.verifier, Observer: d.metrics, Logger: d.log,
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
	d.server = server
	d.edge.Store(server)
	return server.Start()
}

func (d *daemon) startAdmin(inherited net.Listener) error {
	admin, err := pprof.New(pprof.Options{Listen: d.cfg.AdminListen, Listener: inherited, Ready: d.ready, Metrics: d.metrics.registry, Logger: d.log})
	if err != nil {
		return err
	}
	if err := admin.Start(); err != nil {
		return err
	}
	d.admin = admin
	return nil
}

// connections returns the number of connections to the hub's address.
func (d *daemon) connections() int {
	if s := d.edge.Load(); s != nil {
		return s.Connections()
	}
	return 0
}

// begin starts the engine on an open store and waits for whoever takes this hub's place.
func (d *daemon) begin(store persistence.Log) error {
	e, err := d.newEngine(store)
	if err != nil {
		return err
	}
	go func() {
		select {
		case err := <-e.hub.Fault():
			d.faults <- err
		case <-e.ended:
		}
	}()
	d.held.clear()
	d.late.engine.Store(e)
	return nil
}

// serving returns why the hub cannot serve, or nil, in words for everyone.
func (d *daemon) serving() error {
	e := d.late.engine.Load()
	switch {
	case e == nil:
		return errNotReady
	case e.appender.Err() != nil:
		return errStoreFails
	}
	return nil
}

// ready returns the same in words for the operator.
func (d *daemon) ready() error {
	e := d.late.engine.Load()
	if e != nil {
		return e.appender.Err()
	}
	if holder := d.held.holder(); holder != "" {
		return fmt.Errorf("%w: %s holds %s", errNotReady, holder, d.cfg.Store)
	}
	return errNotReady
}

// stop ends the hub so that nothing that was acknowledged is lost and every stream knows: no new
// connections, no publishes; what was committed is delivered; then the streams end, spread over the
// drain time, the ends of subscriptions are stored, and the store closes last.
func (d *daemon) stop() error {
	d.stopping.Store(true)
	if result := d.heir.close(); result.outcome.HandedOver || errors.Is(result.err, handover.ErrNotResumed) {
		return d.leave(context.Background(), result)
	}
	var errs []error
	if d.server != nil {
		d.server.Refuse()
	} else if d.listener != nil {
		_ = d.listener.Close()
	}
	e := d.late.engine.Load()
	if e != nil {
		e.drain(d.cfg.Drain)
		e.hub.Stop()
		e.appender.Stop()
	}
	errs = append(errs, d.stopServers())
	if e != nil {
		errs = append(errs, d.forgetHolder(), e.close())
	}
	d.release()
	return errors.Join(errs...)
}

// leave ends a hub whose store is another's now.
func (d *daemon) leave(ctx context.Context, r heirResult) error {
	d.stopping.Store(true)
	if !r.outcome.HandedOver {
		return errors.Join(r.err, d.stopServers()) // nor has this hub the store any more
	}
	d.log.Info("handed over", slog.Int("streams", r.outcome.Streams.Taken), slog.Int("not moved", len(d.heir.giver.left)+len(d.heir.giver.streams)))
	logged(d.log, "not all streams were moved", r.err)
	d.heir.giver.end(ctx, d.cfg.Drain)
	d.linger(ctx)
	err := d.stopServers()
	d.release()
	return err
}

// linger answers what still comes on connections that publishers keep open, 503 and the end of the connection each, for
// up to the drain time: a connection that is closed while a request is on its way leaves its client in doubt.
func (d *daemon) linger(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Drain)
	defer cancel()
	for d.server.Connections() > 0 && wait(ctx, lingerPoll) == nil {
	}
}

func (d *daemon) stopServers() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	var errs []error
	if d.server != nil {
		errs = append(errs, d.server.Stop(ctx))
	}
	if d.admin != nil {
		errs = append(errs, d.admin.Stop(ctx))
	}
	return errors.Join(errs...)
}

func (d *daemon) release() {
	if d.verifier != nil {
		d.verifier.Close()
	}
	if d.space != nil {
		d.space.Close()
	}
}
