//go:build linux

package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hubd/bench/ledger"
	"hubd/bench/process"
	"hubd/bench/result"
)

// idle connects streams, lets the target come to rest, and divides what it has grown by.
func idle(ctx context.Context, s *session) error {
	if err := s.connectIdle(ctx); err != nil {
		return err
	}
	return s.complete()
}

// connectIdle connects all streams and notes the memory and goroutines that they cost while nothing happens.
func (s *session) connectIdle(ctx context.Context) error {
	before, err := s.usage()
	if err != nil {
		return err
	}
	goroutines, _, _ := s.runtime(ctx)
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx, duration(s.p.Settle)); err != nil {
		return err
	}
	if err := s.state(ctx); err != nil {
		return err
	}
	if rss, ok := s.r.Figures[result.RSS]; ok {
		s.r.Set(result.MemoryPerStream, (rss-float64(before.RSS))/float64(s.p.Streams))
	}
	if now, ok := s.r.Figures[result.Goroutines]; ok {
		s.r.Set(result.GoroutinesPerIdle, (now-goroutines)/float64(s.p.Streams))
	}
	return nil
}

// connect opens all streams in one group and notes how long it took.
func (s *session) connect(ctx context.Context) error {
	s.group(1, max(s.p.Publishers, 1), ledger.GroupOptions{})
	if err := s.open(s.p.Streams, nil); err != nil {
		return err
	}
	return s.connectAll(ctx)
}

// connectAll connects all streams and notes how long it took and what it cost.
func (s *session) connectAll(ctx context.Context) error {
	before, err := s.usage()
	if err != nil {
		return err
	}
	start := s.clock.Now()
	if err := s.streams.ConnectAll(ctx, connectLimit); err != nil {
		return err
	}
	s.r.Set(result.ConnectTime, seconds(s.clock.Now()-start))
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.per(result.CPUPerConnect, after.CPU-before.CPU, int64(s.p.Streams))
	return nil
}

// connect opens all streams as fast as the target lets it, and looks at what stays when they are gone.
func connect(ctx context.Context, s *session) error {
	files, _, err := s.held(ctx)
	if err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := errors.Join(s.state(ctx), s.complete(), s.streams.DisconnectAll()); err != nil {
		return err
	}
	return s.leftOver(ctx, files, 0)
}

// held returns how many files and goroutines the target has, zeros where that is not known.
func (s *session) held(ctx context.Context) (files int, goroutines float64, err error) {
	if len(s.target.PIDs) == 0 {
		return 0, 0, nil
	}
	if files, err = process.CountFiles(s.target.PIDs...); err != nil {
		return 0, 0, err
	}
	goroutines, _, _ = s.runtime(ctx)
	return files, goroutines, nil
}

// leftOver waits for the target to let go of connections that were closed, and fails when it holds more than
// before after a time that is enough for anyone. Goroutines, which a hub may keep for a while for the next
// requests, are looked at only when their number before is given.
func (s *session) leftOver(ctx context.Context, filesBefore int, goroutinesBefore float64) error {
	if len(s.target.PIDs) == 0 {
		return nil
	}
	const slack = 8 // connections of the load program's own questions, idle threads' pipes and the like
	deadline := time.Now().Add(leaveLimit)
	for {
		files, goroutines, err := s.held(ctx)
		if err != nil {
			return err
		}
		s.r.Set(result.FilesLeftOver, float64(files-filesBefore))
		extra := 0.0
		if goroutinesBefore > 0 {
			extra = goroutines - goroutinesBefore
			s.r.Set(result.GoroutinesLeftOver, extra)
		}
		if files-filesBefore <= slack && extra <= slack {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %d files and %.0f goroutines more than before, %s after all streams were closed",
				errLeak, files-filesBefore, extra, leaveLimit)
		}
		if err := s.settle(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

var errLeak = errors.New("the target does not let go")
