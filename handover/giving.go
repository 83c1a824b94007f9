package handover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// handOver is the holder's side of one handover:
//
//	considering ──refused──────────────────────> serving as before
//	    │ welcome, listeners
//	releasing ──────failed─────┐
//	    │ released             v
//	waiting ──failed, gone──> resuming ──────────> serving as before
//	    │ opened               └──── error ──────> without a store
//	giving
//	    │ done, confirmed, or the newcomer is gone
//	handed over
func (h *Holder) handOver(ctx context.Context, giver Giver, n newcomer) (Outcome, error) {
	defer n.link.close()
	terms, err := giver.Consider(ctx, n.hello.Proposal)
	if err != nil {
		h.refuse(ctx, n.link, err)
		return Outcome{}, fmt.Errorf("considering it: %w", err)
	}
	h.o.Logger.Info("handing over", slog.String("newcomer", n.hello.Newcomer.String()),
		slog.Int("listeners", len(terms.Listeners)), slog.Bool("streams", terms.Streams))
	if err := h.welcome(ctx, n, terms); err != nil {
		h.refuse(ctx, n.link, err)
		return Outcome{}, err
	}
	if err := h.release(ctx, giver, n.link); err != nil {
		h.refuse(ctx, n.link, err) // first of all, so that the newcomer does not wait for what will not come
		return Outcome{}, h.resume(ctx, giver, err)
	}
	giver.Opened()
	g := giving{ctx: ctx, link: n.link, timeouts: h.o.Timeouts}
	err = g.run(giver, terms.Streams)
	if err != nil {
		err = fmt.Errorf("the store is handed over, moving the streams broke off: %w", err)
	}
	return Outcome{HandedOver: true, Streams: g.counts}, err
}

// welcome agrees and shares the listening sockets. Nothing has changed here if it fails.
func (h *Holder) welcome(ctx context.Context, n newcomer, terms Terms) error {
	if len(terms.Listeners) > maxDescriptors {
		return fmt.Errorf("sharing %d listening sockets, more than %d", len(terms.Listeners), maxDescriptors)
	}
	answer := h.o.Timeouts.Answer
	err := n.link.send(ctx, answer, kindWelcome, welcome{
		Protocol: n.protocol, Holder: h.o.Identity, Listeners: len(terms.Listeners), Streams: terms.Streams,
	})
	if err != nil || len(terms.Listeners) == 0 {
		return err
	}
	var message listeners
	var descriptors []int
	defer func() { closeAll(descriptors) }()
	for _, l := range terms.Listeners {
		fd, err := duplicate(l.Socket)
		if err != nil {
			return fmt.Errorf("sharing the listening socket %q: %w", l.Name, err)
		}
		descriptors = append(descriptors, fd)
		message.Listeners = append(message.Listeners, l.Address)
	}
	payload, err := encode(message)
	if err != nil {
		return err
	}
	return n.link.write(ctx, answer, kindListeners, payload, descriptors)
}

// release lets go of the store and waits until the newcomer has it.
func (h *Holder) release(ctx context.Context, giver Giver, l *link) error {
	h.setReleased(true)
	releasing, cancel := context.WithTimeout(ctx, h.o.Timeouts.Release)
	err := giver.Release(releasing)
	cancel()
	if err != nil {
		return fmt.Errorf("releasing the store: %w", err)
	}
	if err := l.send(ctx, h.o.Timeouts.Answer, kindReleased, struct{}{}); err != nil {
		return err
	}
	f, err := l.expect(ctx, h.o.Timeouts.Open, kindOpened, kindFailed)
	if err != nil {
		return err
	}
	if f.kind == kindFailed {
		r, err := decode[refusal](f.payload)
		return errors.Join(fmt.Errorf("the newcomer could not open the store: %s", quoted(r.Reason)), err)
	}
	return nil
}

// resume takes everything back after the failure. It runs also when ctx has ended: a hub that is to
// stop needs its store for that.
func (h *Holder) resume(ctx context.Context, giver Giver, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.o.Timeouts.Resume)
	defer cancel()
	if err := giver.Resume(ctx); err != nil {
		return fmt.Errorf("%w: %w; the handover had failed: %w", ErrNotResumed, err, failure)
	}
	h.setReleased(false)
	return failure
}

// giving moves the streams.
type giving struct {
	ctx      context.Context
	link     *link
	timeouts Timeouts

	batch  batch   // being filled
	sent   []batch // not answered yet, oldest first, at most window
	counts Counts
	// err is why no more can be given.
	err error
}

// run gives all streams and settles each of them.
func (g *giving) run(giver Giver, streams bool) error {
	var err error
	if streams {
		if err = giver.Streams(g.ctx, g.give); err != nil {
			err = fmt.Errorf("giving streams: %w", err)
		}
		g.flush()
		for len(g.sent) > 0 && g.err == nil {
			g.answer()
		}
	}
	if g.err == nil {
		g.err = g.link.send(g.ctx, g.timeouts.Answer, kindDone, closing{Streams: g.counts})
	}
	if g.err == nil {
		_, g.err = g.link.expect(g.ctx, g.timeouts.Answer, kindConfirmed)
	}
	if g.err != nil && !errors.Is(err, g.err) {
		err = errors.Join(err, g.err)
	}
	return err
}

// give implements Give.
func (g *giving) give(s Stream, settle func(taken bool)) error {
	if g.err != nil || len(s.State) > MaxState {
		g.counts.Refused++
		settle(false)
		return g.err
	}
	if g.batch.add(s, settle) {
		g.flush()
	}
	return g.err
}

// flush sends the batch, after the answer to an older one if too many are under way.
func (g *giving) flush() {
	if len(g.batch.settle) == 0 {
		return
	}
	if len(g.sent) == window {
		g.answer()
	}
	b := g.batch
	g.batch = batch{number: b.number + 1}
	if g.err != nil {
		g.settle(b, make([]bool, len(b.settle)))
		return
	}
	g.sent = append(g.sent, b)
	if err := g.link.write(g.ctx, g.timeouts.Answer, kindBatch, b.seal(), b.descriptors); err != nil {
		g.fail(err)
	}
}

// answer waits for the answer to the oldest batch.
func (g *giving) answer() {
	f, err := g.link.expect(g.ctx, g.timeouts.Answer, kindTaken)
	if err != nil {
		g.fail(err)
		return
	}
	b := g.sent[0]
	taken, err := decodeTaken(f.payload, b.number, len(b.settle))
	if err != nil {
		g.fail(err)
		return
	}
	g.sent = g.sent[1:]
	g.settle(b, taken)
}

func (g *giving) settle(b batch, taken []bool) {
	for i, settle := range b.settle {
		if taken[i] {
			g.counts.Taken++
		} else {
			g.counts.Refused++
		}
		settle(taken[i])
	}
}

// fail ends the giving. What was sent and not answered may have been taken and written to, so the holder
// must not touch it any more.
func (g *giving) fail(err error) {
	g.err = err
	for _, b := range g.sent {
		g.counts.Unknown += len(b.settle)
		for _, settle := range b.settle {
			settle(true)
		}
	}
	g.sent = nil
}
