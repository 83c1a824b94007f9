//go:build linux

package workload

import (
	"context"

	"hubd/bench/ledger"
	"hubd/bench/result"
	"hubd/bench/target"
)

// topics gives every stream a topic of its own and publishes to all in turn.
func topics(ctx context.Context, s *session) error { return s.single(ctx, target.Own) }

// patterns gives every stream a pattern of its own and publishes below them, to a new topic each time.
func patterns(ctx context.Context, s *session) error { return s.single(ctx, target.Patterns) }

// private subscribes every stream to the inboxes of all users and grants it one: an update that any but
// its owner receives is a fault.
func private(ctx context.Context, s *session) error { return s.single(ctx, target.Inboxes) }

// single runs a load in which every update is owed to exactly one stream.
func (s *session) single(ctx context.Context, scheme target.Scheme) error {
	s.scheme = scheme
	s.group(s.p.Streams, 1, ledger.GroupOptions{Single: true})
	if err := s.open(s.p.Streams, nil); err != nil {
		return err
	}
	if err := s.connectAll(ctx); err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	p, err := s.publish(ctx, roundRobin(s.p.Streams, s.p.Publishers), nil)
	if err != nil {
		return err
	}
	if err := p.follow(ctx, s.progress.AllAcked); err != nil {
		return err
	}
	p.note()
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.r.Set(result.Deliveries, float64(s.streams.Delivered()))
	s.per(result.CPUPerPublish, after.CPU-before.CPU, s.progress.AllAcked())
	s.per(result.ReaderPerDelivery, after.load-before.load, s.streams.Delivered())
	s.latencies()
	if err := s.state(ctx); err != nil {
		return err
	}
	return s.complete()
}
