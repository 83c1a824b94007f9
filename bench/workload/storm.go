//go:build linux

package workload

import (
	"context"
	"errors"
	"fmt"

	"hubd/bench/ledger"
	"hubd/bench/load"
	"hubd/bench/result"
)

var errNoRestart = errors.New("the target cannot be restarted")

// storm lets most streams lose their connection, publishes to them, and brings them back together, while the streams
// that stay get updates of their own at a steady pace. What these notice of the storm is what it measures.
func storm(ctx context.Context, s *session) (err error) {
	live := s.beside(max(1, min(s.p.Staying, s.p.Streams/2)))
	defer func() { err = errors.Join(err, live.close()) }()
	s.p.Streams -= live.s.p.Streams
	if err := errors.Join(s.connect(ctx), live.connect(ctx)); err != nil {
		return err
	}
	owed := func() int64 { return s.progress.AllAcked() * int64(s.p.Streams) }
	if err := s.warm(ctx, owed); err != nil {
		return err
	}
	if err := live.quiet(ctx); err != nil {
		return err
	}
	live.noteBefore()
	if err := s.streams.DisconnectAll(); err != nil {
		return err
	}
	if err := s.publishMissing(ctx); err != nil {
		return err
	}
	if err := s.resetPeak(); err != nil {
		return err
	}
	s.latency.Reset() // the time since sending says nothing of the hub here
	if err := live.begin(ctx); err != nil {
		return err
	}
	if err := errors.Join(s.comeBack(ctx, owed), live.end()); err != nil {
		return err
	}
	s.latency = live.s.latency
	s.latencies()
	if err := s.state(ctx); err != nil {
		return err
	}
	return errors.Join(s.complete(), live.s.complete())
}

// publishMissing publishes what the streams, which are away, are to catch up with.
func (s *session) publishMissing(ctx context.Context) error {
	p, err := s.publish(ctx, ownLane, func(o *load.PublishersOptions) {
		o.Count, o.Duration, o.Rate, o.Gate = s.progress.AllSent()+s.p.Missing, 0, 0, nil
	})
	if err != nil {
		return err
	}
	return p.join()
}

// comeBack connects all streams at once and notes what it takes until they have caught up.
func (s *session) comeBack(ctx context.Context, owed func() int64) error {
	delivered := s.streams.Delivered()
	before, err := s.usage()
	if err != nil {
		return err
	}
	start := s.clock.Now()
	for i := range s.p.Streams {
		s.streams.Connect(i)
	}
	if err := s.arrive(ctx, func() bool { return s.streams.Delivered() >= owed() }); err != nil {
		return fmt.Errorf("%d of %d events came, %d streams are open: %w",
			s.streams.Delivered()-delivered, owed()-delivered, s.streams.Open(), err)
	}
	took := seconds(s.clock.Now() - start)
	after, err := s.usage()
	if err != nil {
		return err
	}
	delivered = s.streams.Delivered() - delivered
	s.r.Set(result.CatchUpTime, took)
	s.r.Set(result.Deliveries, float64(delivered))
	s.r.Set(result.EventsPerSec, float64(delivered)/took)
	if cpu := after.CPU - before.CPU; cpu > 0 {
		s.r.Set(result.ServerCPU, cpu.Seconds())
	}
	return nil
}

// stormRestart stops the hub under its streams and starts it again. The streams come back when they were told to, and
// miss what is published as soon as the hub serves.
func stormRestart(ctx context.Context, s *session) error {
	if s.target.Again == nil {
		return errNoRestart
	}
	s.group(1, s.p.Publishers, ledger.GroupOptions{})
	if err := s.open(s.p.Streams, func(o *load.StreamsOptions) { o.Retry = true }); err != nil {
		return err
	}
	if err := s.connectAll(ctx); err != nil {
		return err
	}
	owed := func() int64 { return s.progress.AllAcked() * int64(s.p.Streams) }
	if err := s.warm(ctx, owed); err != nil {
		return err
	}
	s.latency.Reset()
	start := s.clock.Now()
	if err := s.again(ctx); err != nil {
		return err
	}
	s.r.Set(result.RestartTime, seconds(s.clock.Now()-start))
	p, err := s.publish(ctx, ownLane, func(o *load.PublishersOptions) {
		o.Count, o.Duration, o.Rate, o.Gate = s.progress.AllSent()+s.p.Missing, 0, 0, nil
	})
	if err != nil {
		return err
	}
	if err := p.follow(ctx, owed); err != nil {
		return err
	}
	s.r.Set(result.CatchUpTime, seconds(s.clock.Now()-start))
	s.r.Set(result.ToldToReturn, float64(s.streams.Told()))
	if err := s.state(ctx); err != nil {
		return err
	}
	if len(s.target.PIDs) > 0 { // all that the new process has used
		u, err := s.usage()
		if err != nil {
			return err
		}
		s.r.Set(result.ServerCPU, u.CPU.Seconds())
	}
	return s.complete()
}

// again restarts the target while the streams are driven.
func (s *session) again(ctx context.Context) error {
	restarted := make(chan struct{})
	var failed error // read after restarted is closed
	go func() {
		defer close(restarted)
		failed = s.target.Again(ctx)
	}()
	err := s.streams.Run(ctx, drainLimit, func() bool {
		select {
		case <-restarted:
			return true
		default:
			return false
		}
	})
	<-restarted
	return errors.Join(err, failed)
}
