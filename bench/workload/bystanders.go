//go:build linux

package workload

import (
	"context"
	"errors"

	"hubd/bench/load"
	"hubd/bench/result"
)

// bystanders are streams that stay open while something happens to others. They have a topic and a publisher of their own
// and, from begin to end, a goroutine: what they measure must not wait for the load program to read the others' events.
type bystanders struct {
	s *session
	// to is the session that gets the figures.
	to *session

	done chan struct{} // nil unless the goroutine runs
	p    *publishing
	err  error // read after done is closed
}

// beside returns a session of so many streams beside this one, on the same target.
func (s *session) beside(streams int) *bystanders {
	p := s.p
	p.Streams, p.Publishers = streams, 1
	return &bystanders{to: s, s: &session{
		target: s.target, p: p, r: new(result.Result), clock: s.clock, scheme: s.scheme, stall: s.stall, firstKey: s.firstKey + 1,
	}}
}

func (b *bystanders) connect(ctx context.Context) error { return b.s.connect(ctx) }

func (b *bystanders) owed() int64 { return b.s.progress.AllAcked() * int64(b.s.p.Streams) }

// publish starts the publisher at its pace.
func (b *bystanders) publish(ctx context.Context, change func(o *load.PublishersOptions)) (*publishing, error) {
	b.s.latency.Reset()
	key := b.s.firstKey
	return b.s.publish(ctx, func(int) (group, lane uint32) { return key, 0 }, change)
}

// quiet publishes for the time of the parameters while nothing else happens.
func (b *bystanders) quiet(ctx context.Context) error {
	p, err := b.publish(ctx, nil)
	if err != nil {
		return err
	}
	return p.follow(ctx, b.owed)
}

// noteBefore keeps the times of delivery so far as those before the event.
func (b *bystanders) noteBefore() {
	h := &b.s.latency
	b.to.r.Set(result.LatencyBeforeP50, seconds(h.Quantile(0.5)))
	b.to.r.Set(result.LatencyBeforeP99, seconds(h.Quantile(0.99)))
	b.to.r.Set(result.LatencyBeforeMax, seconds(h.Max()))
}

// begin publishes and reads in a goroutine until end, and returns when the first update is acknowledged.
func (b *bystanders) begin(ctx context.Context) error {
	p, err := b.publish(ctx, func(o *load.PublishersOptions) { o.Duration = 0 })
	if err != nil {
		return err
	}
	b.p, b.done = p, make(chan struct{})
	go func() {
		defer close(b.done)
		b.err = p.follow(ctx, b.owed)
	}()
	acked := b.s.progress.AllAcked()
	return b.to.streams.Run(ctx, connectLimit, func() bool { return b.s.progress.AllAcked() > acked || !p.running() })
}

// end lets the publisher stop and returns when all that it was acknowledged has arrived.
func (b *bystanders) end() error {
	if b.done == nil {
		return nil
	}
	b.p.set.Stop()
	<-b.done
	b.done = nil
	return b.err
}

// close ends everything, also after an error, and hands over what was wrong with the streams.
func (b *bystanders) close() error {
	err := errors.Join(b.end(), b.s.close())
	for _, f := range b.s.faults.List {
		b.to.faults.Add(f)
	}
	return err
}
