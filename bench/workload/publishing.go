//go:build linux

package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hubd/bench/load"
	"hubd/bench/result"
)

// publishing is a set of publishers at work in their own goroutine.
type publishing struct {
	s    *session
	set  *load.Publishers
	done chan struct{}
	err  error // read after done is closed
}

// publish starts the publishers of the session's parameters.
func (s *session) publish(ctx context.Context, plan load.Plan, change func(o *load.PublishersOptions)) (*publishing, error) {
	template, err := s.target.Publish(s.scheme, s.p.Payload)
	if err != nil {
		return nil, err
	}
	o := load.PublishersOptions{
		Addrs: s.target.Addrs(), Clock: s.clock, Connections: s.p.Publishers, Template: template, Plan: plan,
		Progress: s.progress, Rate: s.p.Rate, Duration: duration(s.p.Seconds),
	}
	if s.p.Count > 0 {
		o.Count = s.progress.AllSent() + s.p.Count
	}
	if s.p.Window > 0 {
		o.Gate = func() bool {
			return s.progress.AllSent()-s.progress.Delivered()/int64(s.p.Streams) < s.p.Window
		}
	}
	if change != nil {
		change(&o)
	}
	set, err := load.NewPublishers(o)
	if err != nil {
		return nil, err
	}
	p := &publishing{s: s, set: set, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = set.Run(ctx)
	}()
	return p, nil
}

func (p *publishing) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// join waits for the publishers without streams to drive, and closes them.
func (p *publishing) join() error {
	<-p.done
	return errors.Join(p.err, p.set.Close())
}

// follow drives the streams until the publishers are done and everything owed has arrived.
func (p *publishing) follow(ctx context.Context, owed func() int64) error {
	s := p.s
	err := s.arrive(ctx, func() bool {
		return !p.running() && (p.err != nil || s.streams.Delivered() >= owed())
	})
	p.set.Stop()
	return errors.Join(err, p.join())
}

// arrive drives the streams until the condition holds. When nothing arrives for a while before that, it says
// what is missing on which streams.
func (s *session) arrive(ctx context.Context, until func() bool) error {
	last, at := s.streams.Delivered(), s.clock.Now()
	stalled := false
	err := s.streams.Run(ctx, drainLimit, func() bool {
		if until() {
			return true
		}
		if n, now := s.streams.Delivered(), s.clock.Now(); n != last {
			last, at = n, now
		} else if now-at > int64(s.stall) {
			stalled = true
		}
		return stalled
	})
	if stalled {
		err = fmt.Errorf("%w: nothing arrived for %s, after %d deliveries on %d streams of %d updates",
			errStalled, s.stall, s.streams.Delivered(), s.streams.Open(), s.progress.AllAcked())
	}
	if stalled || errors.Is(err, load.ErrTimeout) {
		err = errors.Join(err, s.streams.Complete())
	}
	return err
}

var errStalled = errors.New("deliveries are missing")

// note keeps the publishers' own figures.
func (p *publishing) note() {
	h := p.set.Latency()
	first, last := p.set.Span()
	p.s.r.Set(result.Publishes, float64(h.Count()))
	p.s.r.Set(result.PublishP50, seconds(h.Quantile(0.5)))
	p.s.r.Set(result.PublishP99, seconds(h.Quantile(0.99)))
	if span := last - first; span > 0 {
		p.s.r.Set(result.PublishesPerSec, float64(h.Count())/seconds(span))
	}
	if late := p.set.Late(); late.Count() > 0 {
		p.s.r.Set(result.PublishLateP99, seconds(late.Quantile(0.99)))
	}
	if n := p.set.Refused(); n > 0 {
		p.s.r.Set(result.Refused, float64(n))
	}
}

// ownLane is the plan of publishers that share one group and have a lane each.
func ownLane(connection int) (group, lane uint32) { return 0, uint32(connection) }

// roundRobin is the plan of publishers that share out the groups: each goes round those that are its own,
// so that every group has one lane.
func roundRobin(groups, connections int) load.Plan {
	next := make([]int, connections)
	for i := range next {
		next[i] = i
	}
	return func(connection int) (group, lane uint32) {
		g := next[connection]
		if next[connection] += connections; next[connection] >= groups {
			next[connection] = connection
		}
		return uint32(g), 0
	}
}

// settle drives the streams for a time, or only waits when there are none.
func (s *session) settle(ctx context.Context, d time.Duration) error {
	if s.streams != nil {
		return s.streams.RunFor(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// complete checks, when all is over, that every acknowledged update arrived on every stream that is open.
func (s *session) complete() error {
	errs := []error{s.streams.Complete()}
	for _, g := range s.groups {
		errs = append(errs, g.Complete(
			func(lane uint32) uint32 { return s.progress.Acked(g.Key, lane) },
			func(lane uint32) uint32 { return s.progress.Sent(g.Key, lane) },
		))
		if len(errs) > 20 {
			break
		}
	}
	return errors.Join(errs...)
}
