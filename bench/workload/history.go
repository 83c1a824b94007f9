//go:build linux

package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hubd/bench/ledger"
	"hubd/bench/load"
	"hubd/bench/process"
	"hubd/bench/result"
	"hubd/mercure"
)

// publish publishes without a subscriber and reads afterwards, in one stream, that all is stored.
func publish(ctx context.Context, s *session) error {
	s.group(1, s.p.Publishers, ledger.GroupOptions{Late: true})
	before, err := s.usage()
	if err != nil {
		return err
	}
	p, err := s.publish(ctx, ownLane, nil)
	if err != nil {
		return err
	}
	if err := p.join(); err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	p.note()
	s.per(result.CPUPerPublish, after.CPU-before.CPU, s.progress.AllAcked())
	s.per(result.LoadPerPublish, after.load-before.load, s.progress.AllAcked())
	if err := s.state(ctx); err != nil {
		return err
	}
	if s.target.Metrics == "" { // not a hub of ours: it has no history, or one of unknown length
		return nil
	}
	syncs, err := measureSyncs(os.TempDir())
	if err != nil {
		return err
	}
	s.r.Set(result.SyncsPerSec, syncs)
	return s.readHistory(ctx, min(s.progress.AllAcked(), s.p.Retention))
}

// replay publishes a history and reads all of it in one stream.
func replay(ctx context.Context, s *session) error {
	s.group(1, s.p.Publishers, ledger.GroupOptions{Late: true})
	p, err := s.publish(ctx, ownLane, nil)
	if err != nil {
		return err
	}
	if err := p.join(); err != nil {
		return err
	}
	p.note()
	if err := s.resetPeak(); err != nil {
		return err
	}
	if err := s.readHistory(ctx, min(s.progress.AllAcked(), s.p.Retention)); err != nil {
		return err
	}
	return s.state(ctx)
}

// readHistory reads everything from the earliest event in one stream, which must be exactly so much.
func (s *session) readHistory(ctx context.Context, events int64) error {
	request := func(o *load.StreamsOptions) {
		cursorless := o.Request
		o.Request = func(b []byte, stream int, _ []byte) []byte { return cursorless(b, stream, []byte(mercure.Earliest)) }
	}
	if err := s.open(1, request); err != nil {
		return err
	}
	start := s.clock.Now()
	s.streams.Connect(0)
	err := s.arrive(ctx, func() bool { return s.streams.Delivered() >= events })
	if err != nil {
		return fmt.Errorf("%d of %d retained events came: %w", s.streams.Delivered(), events, err)
	}
	s.r.Set(result.Replayed, float64(s.streams.Delivered()))
	s.r.Set(result.EventsPerSec, float64(s.streams.Delivered())/seconds(s.clock.Now()-start))
	if err := s.settle(ctx, 200*time.Millisecond); err != nil { // nothing may follow
		return err
	}
	if n := s.streams.Delivered(); n > events {
		return fmt.Errorf("%w: %d events came from a history of %d", ledger.ErrFault, n, events)
	}
	return s.complete()
}

// reconnect lets all streams lose their connection, publishes, and brings them back together.
func reconnect(ctx context.Context, s *session) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	owed := func() int64 { return s.progress.AllAcked() * int64(s.p.Streams) }
	if err := s.warm(ctx, owed); err != nil {
		return err
	}
	if err := s.streams.DisconnectAll(); err != nil {
		return err
	}
	p, err := s.publish(ctx, ownLane, func(o *load.PublishersOptions) {
		o.Count, o.Duration, o.Gate = s.progress.AllSent()+s.p.Missing, 0, nil
	})
	if err != nil {
		return err
	}
	if err := p.join(); err != nil {
		return err
	}
	p.note()
	if err := s.resetPeak(); err != nil {
		return err
	}
	s.latency.Reset() // the time since sending says nothing of the hub here
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
	end := s.clock.Now()
	after, err := s.usage()
	if err != nil {
		return err
	}
	delivered = s.streams.Delivered() - delivered
	s.r.Set(result.Deliveries, float64(delivered))
	s.r.Set(result.EventsPerSec, float64(delivered)/seconds(end-start))
	s.per(result.CPUPerDelivery, after.CPU-before.CPU, delivered)
	s.per(result.ReaderPerDelivery, after.load-before.load, delivered)
	if err := s.state(ctx); err != nil {
		return err
	}
	return s.complete()
}

// resetPeak makes the target's peak memory begin anew.
func (s *session) resetPeak() error { return process.ResetPeak(s.target.PIDs...) }

// measureSyncs returns how many appends of one block a second the disk makes durable, one after the
// other: what a store could do that put one update into each transaction.
func measureSyncs(dir string) (perSecond float64, err error) {
	f, err := os.CreateTemp(dir, "hubd-bench-sync-")
	if err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(filepath.Clean(f.Name())))
	}()
	block := make([]byte, 4096)
	start := time.Now()
	n := 0
	for ; n < 5000 && time.Since(start) < time.Second; n++ {
		if _, err := f.Write(block); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
