package auth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// "Protected Resource Metadata and Authorization Server Selection": a fetch reaches nothing that the operator did not
// name, wherever a name is made to point to.
func TestAddressesOfKeySets(t *testing.T) {
	t.Parallel()
	const (
		public, loopback, loopback6        = "192.0.2.1", "127.0.0.1", "::1"
		private, carrier, unique           = "10.1.2.3", "100.64.0.1", "fd12::1"
		metadata, link6, mapped            = "169.254.169.254", "fe80::1", "::ffff:169.254.169.254"
		unspecified, unspecified6, this    = "0.0.0.0", "::", "0.1.2.3"
		multicast, translated, mappedLocal = "224.0.0.1", "64:ff9b::a01:203", "::ffff:127.0.0.1"
	)
	all := []string{
		public, loopback, loopback6, private, carrier, unique, metadata, link6, mapped, unspecified, unspecified6, this,
		multicast, translated, mappedLocal, "2001:db8::1", "172.16.0.1", "192.168.1.1",
	}
	internal := []string{private, carrier, unique, this, translated, "172.16.0.1", "192.168.1.1"}
	tests := map[string]struct {
		host    string
		allow   bool
		allowed []string
	}{
		"a public name":               {"issuer.example", false, []string{public, "2001:db8::1"}},
		"a public name with a dot":    {"issuer.example.", false, []string{public, "2001:db8::1"}},
		"a public name, allowed":      {"issuer.example", true, append([]string{public, "2001:db8::1"}, internal...)},
		"a name without a dot":        {"keycloak", false, append([]string{public, "2001:db8::1"}, internal...)},
		"a name of a cluster":         {"keys.auth.svc.cluster.local", false, append([]string{public, "2001:db8::1"}, internal...)},
		"this machine":                {"localhost", false, append([]string{public, "2001:db8::1", loopback, loopback6, mappedLocal}, internal...)},
		"an address":                  {loopback, false, []string{public, "2001:db8::1", loopback, loopback6, mappedLocal}},
		"a private address":           {private, false, []string{public, "2001:db8::1", private}},
		"an address of metadata":      {metadata, false, []string{public, "2001:db8::1", metadata, mapped}},
		"a name that only looks like": {"127.0.0.1.evil.example", false, []string{public, "2001:db8::1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuard(test.host, test.allow)
			var allowed []string
			for _, address := range all {
				if g.check(netip.MustParseAddr(address)) == nil {
					allowed = append(allowed, address)
				}
			}
			for _, address := range all {
				want, got := false, false
				for _, a := range test.allowed {
					want = want || a == address
				}
				for _, a := range allowed {
					got = got || a == address
				}
				if got != want {
					t.Errorf("%s may be dialled: %t, want %t", address, got, want)
				}
			}
		})
	}
}

// The address is looked at when it is dialled, not before: a name is resolved anew for each connection.
func TestFetchDoesNotConnectWhereItMayNot(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(`{"keys":[]}`))
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for host, allowed := range map[string]bool{"issuer.example": false, "127.0.0.1": true, "localhost": true} {
		u := &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
		transport := newTransport(u, newGuard(host, true))
		if transport.DialContext == nil {
			t.Skip("the environment names a proxy")
		}
		// Whatever the name stands for, it leads to this machine.
		before := asked.Load()
		connection, err := transport.DialContext(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", port))
		switch {
		case allowed && err != nil:
			t.Errorf("%s: %v", host, err)
		case !allowed && !errors.Is(err, errLocal):
			t.Errorf("%s: %v, want errLocal", host, err)
		}
		if connection != nil {
			_ = connection.Close()
		}
		if asked.Load() != before {
			t.Errorf("%s: the server was asked", host)
		}
	}
	// The fetch of a configured address does not go where a redirect points: another host, another scheme, metadata.
	for _, target := range []string{
		server.URL, "http://169.254.169.254/latest", "http://[::1]:" + port + "/", "https://issuer.example/", "file:///etc/passwd", "gopher://127.0.0.1/"} {
		redirecting := httptest.NewServer(http.RedirectHandler(target, http.StatusFound))
		l, err := newLocation(KeySet{URL: redirecting.URL, AllowPrivate: true})
		if err != nil {
			t.Fatal(err)
		}
		before := asked.Load()
		if _, err := l.fetch(context.Background()); err == nil || asked.Load() != before {
			t.Errorf("redirected to %s: %v", target, err)
		}
		redirecting.Close()
	}
}
