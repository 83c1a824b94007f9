//go:build linux

package workload

import (
	"context"

	"hubd/bench/load"
	"hubd/bench/result"
)

// warmUp is how many updates go ahead of a measurement.
const warmUp = 3

// fanout sends every update to every stream: at a fixed rate, or as fast as publishes go.
func fanout(ctx context.Context, s *session) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.fanOut(ctx); err != nil {
		return err
	}
	if err := s.state(ctx); err != nil {
		return err
	}
	return s.complete()
}

// fanOut publishes to the streams, which are open, and notes what deliveries cost and how long they took.
func (s *session) fanOut(ctx context.Context) error {
	owed := func() int64 { return s.progress.AllAcked() * int64(s.p.Streams) }
	if err := s.warm(ctx, owed); err != nil {
		return err
	}
	s.latency.Reset()
	delivered := s.streams.Delivered()
	before, err := s.usage()
	if err != nil {
		return err
	}
	p, err := s.publish(ctx, ownLane, nil)
	if err != nil {
		return err
	}
	if err := p.follow(ctx, owed); err != nil {
		return err
	}
	p.note()
	end := s.clock.Now()
	after, err := s.usage()
	if err != nil {
		return err
	}
	delivered = s.streams.Delivered() - delivered
	first, _ := p.set.Span()
	s.r.Set(result.Deliveries, float64(delivered))
	s.r.Set(result.DeliveriesPerSec, float64(delivered)/seconds(end-first))
	s.per(result.CPUPerDelivery, after.CPU-before.CPU, delivered)
	s.per(result.ReaderPerDelivery, after.load-before.load, delivered)
	s.latencies()
	return nil
}

// warm sends a few updates ahead, so that no first use of anything is measured.
func (s *session) warm(ctx context.Context, owed func() int64) error {
	p, err := s.publish(ctx, ownLane, func(o *load.PublishersOptions) {
		o.Connections, o.Rate, o.Duration, o.Gate = 1, 0, 0, nil
		o.Count = s.progress.AllSent() + warmUp
	})
	if err != nil {
		return err
	}
	return p.follow(ctx, owed)
}

// growth is idle and fanout with one number of streams after the other, each against a fresh target.
func growth(ctx context.Context, s *session) error {
	before, known := s.live(ctx)
	if err := s.connectIdle(ctx); err != nil {
		return err
	}
	if live, ok := s.live(ctx); ok && known {
		s.r.Set(result.LivePerStream, (live-before)/float64(s.p.Streams))
	}
	if err := s.fanOut(ctx); err != nil {
		return err
	}
	return s.complete()
}
