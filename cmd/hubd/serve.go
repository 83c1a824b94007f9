package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"hubd/auth"
	"hubd/config"
	"hubd/handover"
	"hubd/internal/descriptors"
	"hubd/persistence"
	"hubd/pprof"
	"hubd/sse"
	"hubd/tlscert"
	"hubd/topics"
)

// stopPatience is how long a stop waits for requests under way after the streams have ended.
const stopPatience = 5 * time.Second

// reservedDescriptors is how many descriptors the hub has room for when it starts, in 256 KiB of the kernel's memory.
const reservedDescriptors = 32 << 10

// serve runs the hub until ctx ends, and then stops it in order, or until another process has taken its place.
func serve(ctx context.Context, cfg *config.Config, manager *serviceManager, stdout, stderr io.Writer) error {
	logger := newLogger(cfg, stderr)
	for _, note := range cfg.Notes {
		logger.Warn("configuration", slog.String("note", note))
	}
	defer limitMemory(memlimit.FromCgroup, logger)()
	if err := descriptors.Reserve(reservedDescriptors); err != nil {
		logger.Debug("a storm of connects will wait now and then", slog.Any("error", err))
	}
	d := &daemon{cfg: cfg, log: logger, damage: damage{log: logger}, open: openShared, faults: make(chan error, 1)}
	if err := d.activate(manager); err != nil {
		return err
	}
	if err := d.start(ctx, stdout); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = nil // asked to stop while it waited for its store
		}
		return errors.Join(err, d.stop())
	}
	logged(logger, "starting", manager.tell("READY=1"))
	select {
	case <-ctx.Done():
		logged(logger, "stopping", manager.tell("STOPPING=1"))
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
	// listener, secure and redirecting are the sockets of the configured addresses without TLS, with it, and of the one that
	// sends browsers to https. One is nil while another process has the address; see obtainStore.
	listener, secure, redirecting *net.TCPListener
	// settings is the fingerprint of what must be equal for streams to be moved.
	settings string

	metrics *metrics
	damage  damage
	node    hubNode
	// open opens a store on an engine; openShared but in tests.
	open     opener
	held     held
	space    *topics.Space
	verifier *auth.Verifier
	late     lateHub
	server   *sse.Server
	edge     atomic.Pointer[sse.Server] // server, for metrics, which may be asked for before there is one
	admin    *pprof.Server
	recorder *pprof.Recorder
	heir     *heir

	// certificates is nil without TLS, redirect without the address for it.
	certificates tlscert.Source
	redirect     *http.Server

	faults   chan error
	stopping atomic.Bool
}

// url is the hub's URL: as configured, or by its address.
func (d *daemon) url() string {
	if len(d.cfg.PublicURLs) > 0 {
		return d.cfg.PublicURLs[0]
	}
	if d.cfg.TLS() {
		return d.secureURL()
	}
	return "http://" + d.address() + sse.Path
}

// address is the one that the hub listens on without TLS; empty for none.
func (d *daemon) address() string {
	if d.cfg.Listen == "" {
		return ""
	}
	return boundAddress(d.listener, d.cfg.Listen)
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
	d.node.name, d.node.log = nodeName(d.cfg.Node), d.log
	busy := d.listen()
	if busy != nil && !d.mayInherit(busy) {
		return busy
	}
	minter, err := d.prepare()
	if err != nil {
		return err
	}
	if err := d.startRecorder(); err != nil {
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
	where := []any{slog.String("url", d.url()), slog.String("address", d.address()), slog.String("admin", admin), slog.String("store", d.cfg.Store.String())}
	if d.cfg.Store.Engine() != "" {
		where = append(where, slog.String("node", d.node.name))
	}
	d.log.Info("serving", where...)
	d.announceTLS()
	if minter != nil {
		return d.greet(stdout, minter)
	}
	if d.cfg.Console {
		d.log.Info("console", slog.String("url", d.consoleURL()))
	}
	return nil
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
	if d.cfg.TLS() {
		if d.certificates, err = d.newCertificates(); err != nil {
			return nil, err
		}
	}
	d.metrics.watch(d)
	d.metrics.watchNode(d)
	d.metrics.watchTLS(d)
	d.metrics.watchExplanations(d)
	d.settings, err = d.fingerprint(minter != nil)
	return minter, err
}

// begin starts the engine on an open store and waits for whoever takes this hub's place.
func (d *daemon) begin(ctx context.Context, store persistence.Log) error {
	if file := d.revocationsFile(); file != "" {
		if err := d.verifier.KeepRevocations(file); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	e, err := d.newEngine(ctx, store)
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
	case e.contact() != nil:
		return errStoreAway
	case e.appender.Err() != nil:
		return errStoreFails
	}
	return nil
}

// ready returns the same in words for the operator.
func (d *daemon) ready() error {
	e := d.late.engine.Load()
	if e != nil {
		if err := e.contact(); err != nil {
			return err
		}
		return e.appender.Err()
	}
	if err := d.node.absence(); err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
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
	} else {
		d.closeListeners()
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
	asked := d.stopping.Swap(true)
	if !r.outcome.HandedOver {
		return errors.Join(r.err, d.stopServers()) // nor has this hub the store any more
	}
	d.log.Info("handed over", slog.Int("streams", r.outcome.Streams.Taken), slog.Int("not moved", len(d.heir.giver.left)+len(d.heir.giver.streams)))
	logged(d.log, "not all streams were moved", r.err)
	d.heir.giver.end(ctx, d.cfg.Drain)
	if !asked {
		d.linger(ctx)
	}
	err := d.stopServers()
	d.release()
	return err
}

// linger stays for the drain time, or until the hub is asked to end. It answers what still comes on connections that
// publishers keep open, 503 and the end of the connection each: one that is closed while a request is on its way leaves its
// client in doubt. And whoever restarts what exits, as Kubernetes does, has time to notice that another hub serves.
func (d *daemon) linger(ctx context.Context) { _ = wait(ctx, d.cfg.Drain) }

func (d *daemon) release() {
	if d.verifier != nil {
		d.verifier.Close()
	}
	if d.space != nil {
		d.space.Close()
	}
}
