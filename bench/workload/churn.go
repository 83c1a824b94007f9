//go:build linux

package workload

import (
	"context"
	"errors"
	"math/rand/v2"

	"hubd/bench/ledger"
	"hubd/bench/load"
	"hubd/bench/result"
)

// churn publishes to many small topics while streams come and go, and looks at what stays when all are
// gone. The first stream of each topic stays to the end: what the others are owed is held against it.
func churn(ctx context.Context, s *session) error {
	files, goroutines, err := s.held(ctx)
	if err != nil {
		return err
	}
	members := &membership{s: s, random: rand.New(rand.NewPCG(1, 2)), joined: make([]bool, s.p.Streams)}
	s.group(s.p.Topics, 1, ledger.GroupOptions{})
	err = s.open(s.p.Streams, func(o *load.StreamsOptions) { o.Opened = members.opened })
	if err != nil {
		return err
	}
	if err := s.connectAll(ctx); err != nil {
		return err
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	p, err := s.publish(ctx, roundRobin(s.p.Topics, s.p.Publishers), nil)
	if err != nil {
		return err
	}
	if err := members.churn(ctx, p); err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	s.r.Set(result.Deliveries, float64(s.streams.Delivered()))
	s.r.Set(result.Reconnects, float64(members.changes))
	s.per(result.CPUPerDelivery, after.CPU-before.CPU, s.streams.Delivered())
	s.latencies()
	if err := errors.Join(s.state(ctx), s.complete(), s.streams.DisconnectAll()); err != nil {
		return err
	}
	if duration(s.p.Settle) < leaveLimit {
		goroutines = 0 // a hub may keep some for longer than the run rests
	}
	return s.leftOver(ctx, files, goroutines)
}

// membership makes streams leave and others take their place.
type membership struct {
	s       *session
	random  *rand.Rand
	joined  []bool // streams that have connected a second time
	away    []int
	changes int
}

// opened is told when a stream is open: one that came late is owed what is sent from now on.
func (m *membership) opened(stream int, r *ledger.Reader) {
	if m.joined[stream] {
		group := uint32(stream % m.s.p.Topics)
		r.Join(func(lane uint32) uint32 { return m.s.progress.Sent(group, lane) })
	}
}

// churn drives the streams until the publishers are done, and then until everything owed has arrived.
func (m *membership) churn(ctx context.Context, p *publishing) error {
	s := m.s
	start := s.clock.Now()
	err := s.arrive(ctx, func() bool {
		due := int(seconds(s.clock.Now()-start) * s.p.Churn)
		for ; m.changes < due && p.running(); m.changes++ {
			m.change()
		}
		return !p.running()
	})
	p.set.Stop()
	if err := errors.Join(err, p.join()); err != nil {
		return err
	}
	p.note()
	// The streams that stayed are owed everything, which is known; what those that came late are owed is
	// checked at the end, so they get as long as the others need and a little more.
	err = s.arrive(ctx, func() bool {
		for topic := range s.p.Topics {
			if s.streams.Reader(topic).Place() < int(s.progress.Acked(uint32(topic), 0)) {
				return false
			}
		}
		return s.streams.Open() == s.p.Streams-len(m.away)
	})
	if err != nil {
		return err
	}
	return s.settle(ctx, lateLimit)
}

// change sends one stream away and brings another one back.
func (m *membership) change() {
	s := m.s
	leaver := s.p.Topics + m.random.IntN(s.p.Streams-s.p.Topics)
	if s.streams.IsOpen(leaver) {
		if err := s.streams.Disconnect(leaver); err != nil {
			s.faults.Add(ledger.Fault{Stream: leaver, What: err.Error()})
			return
		}
		m.away = append(m.away, leaver)
	}
	const apart = 10 // a stream stays away for a while
	if len(m.away) > apart {
		back := m.away[0]
		m.away = m.away[1:]
		m.joined[back] = true
		s.streams.Reader(back).Join(func(uint32) uint32 { return 0 }) // forget the cursor; opened says what is owed
		s.streams.Connect(back)
	}
}
