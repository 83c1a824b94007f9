package pprof

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

// hosts are the names by which a server is asked that only this machine reaches. A browser on this machine reaches it
// too, whatever page it shows; but the page cannot choose the Host of the request, which is the name that it was loaded by.
// A server that others reach is asked by names that are not known here, and is behind whatever keeps others out.
type hosts struct {
	names []string
	// guarded says that the server listens on loopback.
	guarded atomic.Bool
}

func newHosts(listen string, names []string) *hosts {
	h := &hosts{names: slices.Clone(names)}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" {
		h.names = append(h.names, host)
	}
	return h
}

// guard turns the check on if the address is one of loopback.
func (h *hosts) guard(a net.Addr) {
	tcp, ok := a.(*net.TCPAddr)
	h.guarded.Store(ok && tcp.IP.IsLoopback())
}

// has reports whether a request with this Host (RFC 9110, section 7.2), with or without a port, is to be answered. One without
// a Host is of no browser.
func (h *hosts) has(host string) bool {
	if !h.guarded.Load() || host == "" {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	name := strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(name); err == nil || strings.EqualFold(name, "localhost") {
		return true
	}
	return slices.ContainsFunc(h.names, func(known string) bool { return strings.EqualFold(known, name) })
}
