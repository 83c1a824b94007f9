//go:build linux

package load

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"hubd/bench/fakehub"
)

// front starts a proxy that ends TLS in front of a hub, and a tunnel to it.
func front(t *testing.T, hub netip.AddrPort, trusted bool) *Tunnel {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: hub.String()})
	proxy.FlushInterval = -1 // at once
	server := httptest.NewUnstartedServer(proxy)
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	config := &tls.Config{ServerName: "127.0.0.1", RootCAs: x509.NewCertPool()}
	if trusted {
		config.RootCAs.AddCert(server.Certificate())
	}
	tunnel, err := NewTunnel(t.Context(), netip.MustParseAddrPort(server.Listener.Addr().String()), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tunnel.Close(); err != nil {
			t.Error(err)
		}
	})
	return tunnel
}

func TestEveryUpdateComesThroughTheTunnel(t *testing.T) {
	t.Parallel()
	const streams, updates = 20, 60
	addr := (&fakehub.Hub{}).Start(t)
	tunnel := front(t, addr, true)
	b := newBench(t, tunnel.Addr(), streams, 1, nil)
	if err := b.streams.ConnectAll(t.Context(), testLimit); err != nil {
		t.Fatal(err)
	}
	p := b.publishers(t, addr, PublishersOptions{Connections: 1, Count: updates})
	if err := b.deliver(t.Context(), p, streams); err != nil {
		t.Fatal(err)
	}
	b.check(t)
	if n := b.streams.Delivered(); n != streams*updates || tunnel.Err() != nil {
		t.Errorf("%d deliveries, %v", n, tunnel.Err())
	}
}

func TestTheTunnelTrustsNobodyElse(t *testing.T) {
	t.Parallel()
	tunnel := front(t, (&fakehub.Hub{}).Start(t), false)
	b := newBench(t, tunnel.Addr(), 1, 1, nil)
	if err := b.streams.ConnectAll(t.Context(), testLimit); err == nil {
		t.Error("a stream is open to a server that is not trusted")
	}
	if err := tunnel.Err(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}
