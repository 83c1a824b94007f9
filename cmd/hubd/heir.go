package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"hubd/actors"
	"hubd/config"
	"hubd/handover"
	"hubd/persistence"
)

// heir is the wait for the process that is to take this hub's place. A nil one never comes.
type heir struct {
	holder  *handover.Holder
	giver   *giver
	results chan heirResult // capacity 1
}

// heirResult is how a handover ended, or the wait for one.
type heirResult struct {
	outcome handover.Outcome
	err     error
}

// awaitHeir says beside the store who holds it, and lets a newcomer ask for it. A hub that cannot do either works
// all the same: a newcomer then waits for the store's lock.
func (d *daemon) awaitHeir() {
	if d.cfg.Store.Scheme() != config.StoreBolt {
		return
	}
	path, self := d.cfg.Store.Path(), handover.Self(cmp.Or(version, "unknown"), time.Now())
	if err := handover.WriteHolder(path, self); err != nil {
		d.log.Warn("others cannot see who holds the store", slog.Any("error", err))
	}
	if !d.cfg.Handover {
		return
	}
	holder, err := handover.Listen(handover.ListenOptions{Path: path, Identity: self, Logger: d.log})
	switch {
	case errors.Is(err, handover.ErrNotSupported):
		return
	case err != nil:
		d.log.Warn("a hub that takes this one's place must wait for its end", slog.Any("error", err))
		return
	}
	h := &heir{holder: holder, giver: &giver{d: d}, results: make(chan heirResult, 1)}
	d.heir = h
	go func() {
		// A handover that has begun goes on to its end; close ends the wait for one.
		outcome, err := holder.Serve(context.Background(), h.giver)
		h.results <- heirResult{outcome, err}
	}()
}

// done delivers how a handover ended.
func (h *heir) done() <-chan heirResult {
	if h == nil {
		return nil
	}
	return h.results
}

// close ends the wait, after the handover that may be under way.
func (h *heir) close() heirResult {
	if h == nil {
		return heirResult{}
	}
	err := h.holder.Close()
	r := <-h.results
	r.err = errors.Join(r.err, err)
	return r
}

// forgetHolder takes back what awaitHeir said. The store must still be open.
func (d *daemon) forgetHolder() error {
	if d.cfg.Store.Scheme() != config.StoreBolt {
		return nil
	}
	return handover.RemoveHolder(d.cfg.Store.Path())
}

// takePlace starts the hub on its store: one that nobody held, or that its holder hands over in the session.
func (d *daemon) takePlace(ctx context.Context, store persistence.Log, session *handover.Session, busy error) error {
	if err := d.inherit(session); err != nil {
		return errors.Join(err, store.Close())
	}
	if !d.bound() && d.listen() != nil {
		return errors.Join(busy, store.Close()) // whoever has the address is no hub on this store
	}
	if err := d.begin(ctx, store); err != nil {
		return err
	}
	if err := d.startServers(); err != nil {
		return err
	}
	d.awaitHeir()
	if session == nil {
		return nil
	}
	if err := session.Opened(ctx); err != nil {
		d.log.Warn("the holder may not know that it was relieved", slog.Any("error", err))
		return nil
	}
	counts, err := session.Streams(ctx, d.take)
	if err != nil {
		d.log.Warn("not all streams were moved", slog.Any("error", err))
	}
	d.log.Info("took over", slog.Int("streams", counts.Taken), slog.Int("not moved", counts.Refused))
	return nil
}

// inherit takes the listening sockets that the holder shares.
func (d *daemon) inherit(session *handover.Session) error {
	if session == nil {
		return nil
	}
	for _, l := range session.Listeners() {
		switch l.Name {
		case publicListener, tlsListener, redirectListener:
			tcp, ok := l.Listener.(*net.TCPListener)
			if !ok {
				return fmt.Errorf("the holder's socket for %s is not a TCP socket", l.Address)
			}
			*d.socket(l.Name) = tcp
		case adminListener:
			if err := d.startAdmin(l.Listener); err != nil {
				return err
			}
		}
	}
	return nil
}

// take goes on with a stream of the holder. It reports false if the stream stays the holder's.
func (d *daemon) take(s handover.Stream) bool {
	o, err := d.unpackStream(s.State)
	if err == nil {
		err = d.adopt(s.FD, o)
	}
	if err != nil {
		d.log.Debug("stream not taken", slog.Any("error", err))
	}
	return err == nil
}

// adopt goes on with a stream on a socket. After an error the socket is still the caller's.
func (d *daemon) adopt(fd int, o *actors.Subscription) error {
	conn, err := d.server.Adopt(fd)
	if err != nil {
		return err
	}
	o.Conn = conn
	if d.late.Subscribe(o) != nil {
		_ = conn.Close() // this hub stops already; the client resumes elsewhere
	}
	return nil
}
