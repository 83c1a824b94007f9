//go:build linux

package workload

import (
	"context"
	"fmt"
	"math"
	"time"

	"hubd/bench/ledger"
	"hubd/bench/load"
	"hubd/bench/result"
)

const (
	// slowBytes every slowEvery is what a slow stream reads: far less than is published.
	slowBytes = 4 << 10
	slowEvery = 100 * time.Millisecond
	// lateLimit is how long is waited for what should not come, or cannot be counted.
	lateLimit = 500 * time.Millisecond
)

// slow lets a share of the streams read much more slowly than is published. The others must not notice, and the
// slow ones, which may be disconnected and come back with their cursor, must get everything in
// the end, when they read as fast as they can.
func slow(ctx context.Context, s *session) error {
	every := int(1 / s.p.SlowShare)
	isSlow := func(stream int) bool { return stream%every == 0 }
	s.group(1, s.p.Publishers, ledger.GroupOptions{})
	err := s.open(s.p.Streams, func(o *load.StreamsOptions) {
		o.Slow, o.SlowBytes, o.SlowEvery, o.Reconnect = isSlow, slowBytes, slowEvery, true
	})
	if err != nil {
		return err
	}
	if err := s.connectAll(ctx); err != nil {
		return err
	}
	if err := s.resetPeak(); err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	p, err := s.publish(ctx, ownLane, nil)
	if err != nil {
		return err
	}
	slowStreams := (s.p.Streams + every - 1) / every
	fast := int64(s.p.Streams - slowStreams)
	err = p.follow(ctx, func() int64 {
		if int64(s.latency.Count()) < s.progress.AllAcked()*fast { // it counts the deliveries to fast streams
			return math.MaxInt64
		}
		return 0
	})
	if err != nil {
		return err
	}
	p.note()
	s.latencies()
	behind := s.progress.AllAcked()*int64(s.p.Streams) - s.streams.Delivered()
	s.r.Set("slow_streams_behind_count", float64(behind)/float64(slowStreams))
	if err := s.state(ctx); err != nil {
		return err
	}
	s.streams.Hurry(256<<10, time.Millisecond)
	owed := s.progress.AllAcked() * int64(s.p.Streams)
	if err := s.arrive(ctx, func() bool { return s.streams.Delivered() >= owed }); err != nil {
		return fmt.Errorf("the slow streams are %d events behind: %w", owed-s.streams.Delivered(), err)
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.r.Set(result.Deliveries, float64(s.streams.Delivered()))
	s.r.Set(result.Reconnects, float64(s.streams.Ended()))
	s.r.Set(result.SlowLatencyP99, seconds(s.slow.Quantile(0.99)))
	s.per(result.CPUPerDelivery, after.CPU-before.CPU, s.streams.Delivered())
	return s.complete()
}
