//go:build linux

package load

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"hubd/bench/ledger"
	"hubd/bench/stat"
	"hubd/bench/wire"
)

// bench is a set of streams and what they are checked with.
type bench struct {
	group    *ledger.Group
	faults   ledger.Faults
	latency  stat.Histogram
	progress *Progress
	clock    Clock
	streams  *Streams
}

func newBench(t *testing.T, addr netip.AddrPort, streams, lanes int, change func(o *StreamsOptions)) *bench {
	t.Helper()
	b := &bench{
		group:    ledger.NewGroup(ledger.GroupOptions{Lanes: lanes, Payload: 128}),
		progress: NewProgress(1, lanes), clock: NewClock(),
	}
	o := StreamsOptions{Addrs: []netip.AddrPort{addr}, Clock: b.clock, Faults: &b.faults, Progress: b.progress, Concurrency: 8}
	o.Request = func(text []byte, _ int, lastID []byte) []byte {
		text = append(text, "GET / HTTP/1.1\r\nHost: test\r\n"...)
		if lastID != nil {
			text = append(append(append(text, "Last-Event-ID: "...), lastID...), "\r\n"...)
		}
		return append(text, "\r\n"...)
	}
	if change != nil {
		change(&o)
	}
	scanner := &wire.Scanner{}
	for i := range streams {
		o.Readers = append(o.Readers, ledger.NewReader(ledger.ReaderOptions{
			Stream: i, Group: b.group, Faults: &b.faults, Latency: &b.latency, Scanner: scanner,
		}))
	}
	var err error
	if b.streams, err = NewStreams(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.streams.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) publishers(t *testing.T, addr netip.AddrPort, o PublishersOptions) *Publishers {
	t.Helper()
	o.Addrs, o.Clock, o.Progress = []netip.AddrPort{addr}, b.clock, b.progress
	o.Template = wire.NewTemplate("POST / HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		"data="+wire.DataMark, 128)
	if o.Plan == nil {
		o.Plan = func(connection int) (uint32, uint32) { return 0, uint32(connection) }
	}
	p, err := NewPublishers(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

const testLimit = 20 * time.Second

// deliver publishes and drives the streams until everything has arrived on all of them.
func (b *bench) deliver(ctx context.Context, p *Publishers, streams int) error {
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var result error
	running := true
	err := b.streams.Run(ctx, testLimit, func() bool {
		select {
		case result = <-done:
			running = false
		default:
		}
		return !running && b.streams.Delivered() >= b.progress.AllAcked()*int64(streams)
	})
	if running {
		p.Stop()
		result = <-done
	}
	if err != nil {
		return err
	}
	return result
}
