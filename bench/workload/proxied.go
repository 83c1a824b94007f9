//go:build linux

package workload

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"

	"hubd/bench/ledger"
	"hubd/bench/load"
	"hubd/bench/process"
	"hubd/bench/result"
	"hubd/bench/target"
)

// proxied is fanout with a proxy between the streams and the hub, to which the streams speak TLS. Updates
// are published to the hub itself.
func proxied(ctx context.Context, s *session) (err error) {
	proxy, err := target.StartProxy(ctx, "", s.target.Addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, proxy.Stop()) }()
	tunnel, err := load.NewTunnel(ctx, proxy.Addr, &tls.Config{RootCAs: proxy.Roots, ServerName: proxy.Addr.Addr().String()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tunnel.Err(), tunnel.Close()) }()
	s.group(1, max(s.p.Publishers, 1), ledger.GroupOptions{})
	if err := s.open(s.p.Streams, func(o *load.StreamsOptions) { o.Addrs = []netip.AddrPort{tunnel.Addr()} }); err != nil {
		return err
	}
	if err := s.connectAll(ctx); err != nil {
		return err
	}
	before, err := process.ReadUsage(proxy.PIDs...)
	if err != nil {
		return err
	}
	if err := s.fanOut(ctx); err != nil {
		return err
	}
	after, err := process.ReadUsage(proxy.PIDs...)
	if err != nil {
		return err
	}
	s.per(result.ProxyPerDelivery, after.CPU-before.CPU, s.streams.Delivered())
	s.r.Set(result.ProxyRSS, float64(after.RSS))
	if err := s.state(ctx); err != nil {
		return err
	}
	return s.complete()
}
