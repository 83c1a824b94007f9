package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

var (
	// errInternal is returned for a name that looks public and stands for an address that is not.
	errInternal = errors.New("the name stands for an address of an internal network; if it should, allow that (--jwks-allow-private)")
	// errLocal is returned for a name that stands for an address which no key set is at: a cloud's metadata service is
	// link-local.
	errLocal = errors.New("the name stands for a link-local, multicast or unspecified address, or for this machine")
)

// guard decides where a fetch may connect to. Whoever keeps the zone of a name, or can forge its answers,
// chooses the address, and with it whom the hub asks: so the address is looked at when it is dialled, after it was
// resolved.
type guard struct {
	// host is that of the configured URL.
	host string
	// private says that addresses of internal networks are wanted.
	private bool
}

// newGuard returns the guard of a host. An operator who writes an address means it.
func newGuard(host string, allowPrivate bool) *guard {
	return &guard{host: host, private: allowPrivate || isInternalName(host)}
}

// isInternalName reports whether the name cannot be one of the public DNS: it has no dot, or its last label is
// reserved for internal use (RFC 6761, RFC 6762, RFC 8375, and "internal" by resolution of the ICANN board).
func isInternalName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return true
	}
	for _, suffix := range [...]string{".internal", ".local", ".localhost", ".test", ".home.arpa", ".svc"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// check returns why the address may not be dialled, or nil.
func (g *guard) check(address netip.Addr) error {
	address = address.Unmap()
	if literal, err := netip.ParseAddr(g.host); err == nil && literal.Unmap().WithZone("") == address.WithZone("") {
		return nil
	}
	switch {
	case address.IsLoopback() && isLoopback(g.host):
		return nil
	case address.IsLoopback(), address.IsUnspecified(), address.IsMulticast(), address.IsLinkLocalUnicast(), !address.IsValid():
		return errLocal
	case !g.private && isInternal(address):
		return errInternal
	}
	return nil
}

// isInternal reports whether the address is of a private network (RFC 1918, RFC 4193) or of a carrier's (RFC 6598),
// or stands for an address of IPv4 in a way that a router may translate (RFC 6052).
func isInternal(address netip.Addr) bool {
	if address.IsPrivate() {
		return true
	}
	for _, block := range [...]string{"100.64.0.0/10", "0.0.0.0/8", "64:ff9b::/96", "64:ff9b:1::/48"} {
		if netip.MustParsePrefix(block).Contains(address) {
			return true
		}
	}
	return false
}

// control is net.Dialer.ControlContext: it is called for each address that is tried, ahead of the connection.
func (g *guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dialling %q: %w", address, err)
	}
	return g.check(to.Addr())
}

// newTransport returns a transport that keeps no connection and so no goroutine between two fetches, which are
// minutes apart. Where the environment names a proxy for the URL, the proxy is the operator's choice and
// decides what it connects to; the URL's host is not resolved here.
func newTransport(u *url.URL, g *guard) *http.Transport {
	t := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
		return t
	}
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, ControlContext: g.control}).DialContext
	return t
}
