//go:build linux

package load

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hubd/bench/fakehub"
	"hubd/bench/ledger"
	"hubd/bench/limit"
)

func (b *bench) check(t *testing.T) {
	t.Helper()
	acked := func(lane uint32) uint32 { return b.progress.Acked(0, lane) }
	if err := errors.Join(b.streams.Complete(), b.group.Complete(acked, acked)); err != nil {
		t.Error(err)
	}
}

func TestEveryUpdateReachesEveryStream(t *testing.T) {
	t.Parallel()
	servers := map[string]func(t *testing.T) netip.AddrPort{
		"chunked bodies": func(t *testing.T) netip.AddrPort { return (&fakehub.Hub{}).Start(t) },
		"bodies to the end of the connection": func(t *testing.T) netip.AddrPort {
			server, err := limit.NewServer(netip.MustParseAddrPort("127.0.0.1:0"), 2)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- server.Run(ctx) }()
			t.Cleanup(func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
			return server.Addr()
		},
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const streams, lanes, updates = 40, 3, 200
			addr := start(t)
			b := newBench(t, addr, streams, lanes, nil)
			ctx := t.Context()
			if err := b.streams.ConnectAll(ctx, testLimit); err != nil {
				t.Fatal(err)
			}
			p := b.publishers(t, addr, PublishersOptions{Connections: lanes, Count: updates})
			if err := b.deliver(ctx, p, streams); err != nil {
				t.Fatal(err)
			}
			b.check(t)
			if n := b.streams.Delivered(); n < streams*updates || n != streams*b.progress.AllAcked() {
				t.Errorf("%d deliveries of %d updates", n, b.progress.AllAcked())
			}
			if b.latency.Count() != uint64(b.streams.Delivered()) || p.Latency().Count() != uint64(b.progress.AllAcked()) {
				t.Errorf("%d and %d times were taken", b.latency.Count(), p.Latency().Count())
			}
		})
	}
}

func TestATamperingHubIsCaught(t *testing.T) {
	t.Parallel()
	tests := map[string]func(events []string) []string{
		"lost":      func(events []string) []string { return events[1:] },
		"doubled":   func(events []string) []string { return append([]string{events[0]}, events...) },
		"truncated": func(events []string) []string { return append([]string{events[0][:40] + "\n\n"}, events[1:]...) },
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const streams = 10
			turn := 0
			hub := &fakehub.Hub{Tamper: func(stream int, events []string) []string {
				if stream != streams/2 {
					return events
				}
				if turn++; turn != 3 {
					return events
				}
				return tamper(events)
			}}
			addr := hub.Start(t)
			b := newBench(t, addr, streams, 1, nil)
			if err := b.streams.ConnectAll(t.Context(), testLimit); err != nil {
				t.Fatal(err)
			}
			p := b.publishers(t, addr, PublishersOptions{Connections: 1, Count: 50})
			if err := b.deliver(t.Context(), p, streams); !errors.Is(err, ledger.ErrFault) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStreamsThatAreCutComeBack(t *testing.T) {
	t.Parallel()
	const streams, updates = 5, 60
	addr := (&fakehub.Hub{Cut: 7}).Start(t)
	b := newBench(t, addr, streams, 1, func(o *StreamsOptions) { o.Reconnect = true })
	if err := b.streams.ConnectAll(t.Context(), testLimit); err != nil {
		t.Fatal(err)
	}
	p := b.publishers(t, addr, PublishersOptions{Connections: 1, Count: updates})
	if err := b.deliver(t.Context(), p, streams); err != nil {
		t.Fatal(err)
	}
	b.check(t)
	if b.streams.Ended() < streams*updates/7 {
		t.Errorf("only %d ends", b.streams.Ended())
	}
}

func TestAnEndIsAFaultUnlessItIsExpected(t *testing.T) {
	t.Parallel()
	addr := (&fakehub.Hub{Cut: 2}).Start(t)
	b := newBench(t, addr, 1, 1, nil)
	if err := b.streams.ConnectAll(t.Context(), testLimit); err != nil {
		t.Fatal(err)
	}
	p := b.publishers(t, addr, PublishersOptions{Connections: 1, Count: 5})
	err := b.deliver(t.Context(), p, 1)
	if !errors.Is(err, ledger.ErrFault) || !strings.Contains(err.Error(), "ended the stream") {
		t.Errorf("%v", err)
	}
}

func TestRefusedPublishesAreSentAgain(t *testing.T) {
	t.Parallel()
	const updates = 30
	addr := (&fakehub.Hub{Refuse: 4}).Start(t)
	b := newBench(t, addr, 1, 2, func(o *StreamsOptions) { o.Reconnect = true })
	if err := b.streams.ConnectAll(t.Context(), testLimit); err != nil {
		t.Fatal(err)
	}
	p := b.publishers(t, addr, PublishersOptions{Connections: 2, Count: updates})
	if err := b.deliver(t.Context(), p, 1); err != nil {
		t.Fatal(err)
	}
	b.check(t)
	if p.Refused() == 0 {
		t.Error("nothing was refused")
	}
}

func TestAFixedRateIsKept(t *testing.T) {
	t.Parallel()
	addr := (&fakehub.Hub{}).Start(t)
	b := newBench(t, addr, 1, 4, nil)
	p := b.publishers(t, addr, PublishersOptions{Connections: 4, Count: 20, Rate: 200})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := p.Late().Count(); n != 20 {
		t.Errorf("%d updates were timed", n)
	}
	if n := b.progress.AllAcked(); n != 20 {
		t.Errorf("%d updates", n)
	}
}

func TestTheGateHoldsPublishersBack(t *testing.T) {
	t.Parallel()
	addr := (&fakehub.Hub{}).Start(t)
	b := newBench(t, addr, 1, 2, nil)
	p := b.publishers(t, addr, PublishersOptions{
		Connections: 2, Duration: 100 * time.Millisecond, Gate: func() bool { return b.progress.AllSent() < 7 },
	})
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.progress.AllSent(); n != 7 {
		t.Errorf("%d updates passed the gate", n)
	}
}

func TestDisconnectedStreamsConnectAgain(t *testing.T) {
	t.Parallel()
	const streams = 6
	addr := (&fakehub.Hub{}).Start(t)
	b := newBench(t, addr, streams, 1, nil)
	for round := range 3 {
		if err := b.streams.ConnectAll(t.Context(), testLimit); err != nil {
			t.Fatal(err)
		}
		p := b.publishers(t, addr, PublishersOptions{Connections: 1, Count: int64(5 * (round + 1))})
		if err := b.deliver(t.Context(), p, streams); err != nil {
			t.Fatal(err)
		}
		b.check(t)
		if err := b.streams.DisconnectAll(); err != nil {
			t.Fatal(err)
		}
		if b.streams.Open() != 0 {
			t.Errorf("%d streams are open", b.streams.Open())
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddrPort("127.0.0.1:1") // reserved, and nothing of a test listens there
	b := newBench(t, addr, 1, 1, nil)
	if err := b.streams.ConnectAll(t.Context(), testLimit); err == nil {
		t.Error("streams are open to nobody")
	}
	p := b.publishers(t, addr, PublishersOptions{Connections: 1, Count: 1})
	if err := p.Run(t.Context()); !errors.Is(err, ErrPublish) {
		t.Errorf("%v", err)
	}
}

func TestRunIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, (&fakehub.Hub{}).Start(t), 1, 1, nil)
	err := b.streams.Run(t.Context(), time.Millisecond, func() bool { return false })
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.streams.Run(ctx, testLimit, func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
