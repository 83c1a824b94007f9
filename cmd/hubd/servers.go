package main

import (
	"context"
	"errors"
	"net"
	"syscall"

	"hubd/config"
	"hubd/pprof"
	"hubd/sse"
)

// silences is how many dispatch timeouts a client may leave unacknowledged what the system has sent it. It is more than
// one, so that a client whose socket is full ends by the dispatch timeout, and one with a bad network for some seconds stays.
const silences = 4

// listen binds the addresses that are configured and not bound yet.
func (d *daemon) listen() error {
	var errs []error
	bind := func(to **net.TCPListener, address string) {
		if *to != nil || address == "" {
			return
		}
		l, err := sse.Listen(address)
		if err != nil {
			errs = append(errs, err)
			return
		}
		*to = l
	}
	bind(&d.listener, d.cfg.Listen)
	bind(&d.secure, d.cfg.TLSListen)
	bind(&d.redirecting, d.cfg.HTTPRedirectListen)
	return errors.Join(errs...)
}

// bound reports whether the hub has all of its addresses.
func (d *daemon) bound() bool {
	return (d.listener != nil || d.cfg.Listen == "") && (d.secure != nil || d.cfg.TLSListen == "") &&
		(d.redirecting != nil || d.cfg.HTTPRedirectListen == "")
}

// mayInherit reports whether an address in use may be that of a hub whose place this one is to take.
func (d *daemon) mayInherit(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) && d.cfg.Store.Scheme() == config.StoreBolt
}

// startServers starts what has its address and was not started before.
func (d *daemon) startServers() error {
	if d.server == nil && d.bound() {
		if err := d.startServer(); err != nil {
			return err
		}
	}
	if d.admin != nil || d.cfg.AdminListen == "" {
		return nil
	}
	err := d.startAdmin(nil)
	if err != nil && d.mayInherit(err) && !d.bound() {
		return nil // the holder's, as is the hub's address
	}
	return err
}

func (d *daemon) startServer() error {
	server, err := sse.New(sse.Options{
		Listener: d.listener, Hub: &d.late, Ready: d.serving, Verifier: d.verifier, Revoker: everywhere{d}, Revocable: d.revocable, Explainer: &d.late, Observer: d.metrics, Logger: d.log,
		Protocol: protocol(d.cfg), Reserved: d.space.Reserved, Audience: d.fixedAudience(), PublicURLs: d.cfg.PublicURLs,
		Anonymous: d.cfg.Anonymous, Cookies: cookies(d.cfg),
		HubPath: d.hubPath(), Subscriptions: d.cfg.Subscriptions, GapNotice: d.cfg.GapNotice, InitialCursor: d.cfg.InitialCursor, Console: d.console(),
		CORSOrigins: d.cfg.CORSOrigins, PublishOrigins: d.cfg.PublishOrigins,
		Lifetime: d.cfg.WriteTimeout, MaxConnections: d.cfg.MaxConnections, MaxConnectionsPerIP: d.cfg.MaxConnectionsPerIP,
		PublishRate: d.cfg.PublishRate, PublishBurst: d.cfg.PublishBurst, RevocationTime: d.cfg.RevocationTime,
		MaxMatchers: d.cfg.MaxMatchers, MaxTopics: d.cfg.MaxTopics, MaxBody: int(d.cfg.MaxBody),
		UserTimeout: silences * d.cfg.DispatchTimeout,
		TLSListener: d.secure, TLS: d.tlsConfig(), HTTP2Streams: d.cfg.HTTP2Streams, HSTS: d.cfg.HSTS,
	})
	if err != nil {
		return err
	}
	if d.redirecting != nil {
		d.startRedirect()
	}
	if d.certificates != nil {
		d.certificates.Start() // after what may answer a challenge
	}
	d.server = server
	d.edge.Store(server)
	return server.Start()
}

func (d *daemon) startAdmin(inherited net.Listener) error {
	admin, err := pprof.New(pprof.Options{Listen: d.cfg.AdminListen, Listener: inherited, Ready: d.ready, Metrics: d.metrics.registry, Recorder: d.recorder, Answers: d.answers(), Hosts: d.cfg.AdminHosts, Logger: d.log})
	if err != nil {
		return err
	}
	if err := admin.Start(); err != nil {
		return err
	}
	d.admin = admin
	return nil
}

func (d *daemon) stopServers() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	var errs []error
	if d.server != nil {
		errs = append(errs, d.server.Stop(ctx))
	}
	errs = append(errs, d.stopTLS(ctx))
	if d.admin != nil {
		errs = append(errs, d.admin.Stop(ctx))
	}
	if d.recorder != nil {
		d.recorder.Stop()
	}
	return errors.Join(errs...)
}

// connections returns the number of connections to the hub's address.
func (d *daemon) connections() int {
	if s := d.edge.Load(); s != nil {
		return s.Connections()
	}
	return 0
}

// publishesLimited returns the number of publishes beyond the rate of their tokens.
func (d *daemon) publishesLimited() uint64 {
	if s := d.edge.Load(); s != nil {
		return s.PublishesLimited()
	}
	return 0
}
