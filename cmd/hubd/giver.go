package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"hubd/actors"
	"hubd/handover"
)

// Names of the listening sockets that a newcomer may ask for.
const (
	publicListener   = "public"
	tlsListener      = "tls"
	redirectListener = "redirect"
	adminListener    = "admin"
)

// publicListeners are those of the hub itself, with their addresses; empty for none.
func (d *daemon) publicListeners() []handover.Address {
	return []handover.Address{
		{Name: publicListener, Address: d.cfg.Listen}, {Name: tlsListener, Address: d.cfg.TLSListen},
		{Name: redirectListener, Address: d.cfg.HTTPRedirectListen},
	}
}

// socket is the place of a listening socket of the hub itself.
func (d *daemon) socket(name string) **net.TCPListener {
	switch name {
	case tlsListener:
		return &d.secure
	case redirectListener:
		return &d.redirecting
	}
	return &d.listener
}

// proposal is what this hub asks of the holder of its store.
func (d *daemon) proposal(since time.Time) handover.Proposal {
	p := handover.Proposal{Newcomer: handover.Self(cmp.Or(version, "unknown"), since), Streams: true, Settings: d.settings}
	for _, l := range d.publicListeners() {
		if l.Address != "" && *d.socket(l.Name) == nil {
			p.Listeners = append(p.Listeners, l)
		}
	}
	if d.admin == nil && d.cfg.AdminListen != "" {
		p.Listeners = append(p.Listeners, handover.Address{Name: adminListener, Address: d.cfg.AdminListen})
	}
	return p
}

// giver hands the store, the sockets and the streams over to a newcomer. Its methods are called one at a time.
type giver struct {
	d *daemon
	// streams were released and wait for the newcomer; left are those that it did not get.
	streams, left []*actors.Subscription
}

// Consider implements handover.Giver.
func (g *giver) Consider(_ context.Context, p handover.Proposal) (handover.Terms, error) {
	var terms handover.Terms
	if g.d.stopping.Load() {
		return terms, errors.New("this hub is stopping")
	}
	if !p.Newcomer.SameNetwork(handover.Self(cmp.Or(version, "unknown"), time.Time{})) {
		// Sockets would end with this hub's container: the store alone changes hands.
		return terms, nil
	}
	for _, wanted := range p.Listeners {
		l := handover.Listener{Address: wanted}
		switch {
		case wanted.Address != "" && slices.Contains(g.d.publicListeners(), wanted):
			l.Socket = *g.d.socket(wanted.Name)
		case wanted.Name == adminListener && wanted.Address == g.d.cfg.AdminListen && g.d.admin != nil:
			socket, ok := g.d.admin.Listener().(syscall.Conn)
			if !ok {
				continue
			}
			l.Socket = socket
		default:
			return terms, fmt.Errorf("this hub does not listen on the %s address %s", wanted.Name, wanted.Address)
		}
		terms.Listeners = append(terms.Listeners, l)
	}
	terms.Streams = p.Streams && p.Settings == g.d.settings
	if p.Streams && !terms.Streams {
		g.d.log.Warn("streams are not moved: the newcomer has other keys or lets in others; they end and reconnect")
	}
	return terms, nil
}

// Release implements handover.Giver.
func (g *giver) Release(ctx context.Context) error {
	if err := g.d.server.Pause(); err != nil {
		return err
	}
	e := g.d.late.engine.Swap(nil)
	g.streams = e.hub.Release(ctx)
	return e.close()
}

// Resume implements handover.Giver.
func (g *giver) Resume(ctx context.Context) error {
	if g.d.late.engine.Load() == nil {
		store, err := g.d.awaitStore(ctx)
		if err != nil {
			return err
		}
		if err := g.d.begin(ctx, store); err != nil {
			return err
		}
	}
	for _, o := range g.streams {
		if !g.d.server.Movable(o.Conn) {
			g.d.goOn(o)
			continue
		}
		fd, err := g.d.server.Release(o.Conn)
		if err == nil {
			err = g.d.adopt(fd, o)
		}
		logged(g.d.log, "a stream was lost in a handover that failed", err)
	}
	g.streams = nil
	return g.d.server.Resume()
}

// goOn gives the hub a stream back that cannot move, on the connection that it has.
func (d *daemon) goOn(o *actors.Subscription) {
	d.server.Again(o.Conn)
	if d.late.Subscribe(o) != nil {
		_ = o.Conn.Close()
	}
}

// Opened implements handover.Giver.
func (g *giver) Opened() {
	g.d.server.Refuse()
}

// Streams implements handover.Giver.
func (g *giver) Streams(ctx context.Context, give handover.Give) error {
	for len(g.streams) > 0 {
		o := g.streams[0]
		g.streams = g.streams[1:]
		state, err := packStream(o)
		if err != nil || len(state) > handover.MaxState || !g.d.server.Movable(o.Conn) {
			g.left = append(g.left, o)
			continue
		}
		fd, err := g.d.server.Release(o.Conn)
		if err != nil {
			_ = o.Conn.Close()
			g.d.log.Error("a stream was not moved", slog.Any("error", err))
			continue
		}
		if err := give(handover.Stream{FD: fd, State: state}, func(taken bool) { g.settle(o, fd, taken) }); err != nil {
			return err
		}
	}
	return nil
}

// settle closes this hub's copy of a stream that has moved, and keeps one that has not to end it later.
func (g *giver) settle(o *actors.Subscription, fd int, taken bool) {
	if !taken {
		var err error
		if o.Conn, err = g.d.server.Adopt(fd); err == nil {
			g.left = append(g.left, o)
			return
		}
	}
	logged(g.d.log, "closing a stream that has moved", os.NewSyscallError("close", syscall.Close(fd)))
}

// end ends the streams that were not moved, spread over the time and with a time to come back at for each.
func (g *giver) end(ctx context.Context, over time.Duration) {
	left := append(g.streams, g.left...)
	g.streams, g.left = nil, nil
	for i, o := range left {
		if len(o.Prelude) == 0 { // otherwise the client is in the middle of an event
			_, _ = o.Conn.Write(actors.Retry()) // the connection ends next, whether the client reads this or not
		}
		_ = o.Conn.Close()
		if i+1 < len(left) {
			_ = wait(ctx, over/time.Duration(len(left)))
		}
	}
}

// logged is for errors that nobody can be told of.
func logged(log *slog.Logger, doing string, err error) {
	if err != nil {
		log.Error(doing, slog.Any("error", err))
	}
}
