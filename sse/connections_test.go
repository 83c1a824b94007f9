package sse

import (
	"net/netip"
	"testing"
)

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	c := newConnections(3, 2)
	a, b, third := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.3")
	for i, step := range []struct {
		address netip.Addr
		leave   bool
		want    bool
	}{
		{a, false, true}, {a, false, true}, {a, false, false}, {b, false, true}, {b, false, false},
		{a, true, true}, {b, false, true}, {third, false, false},
	} {
		if step.leave {
			c.leave(step.address)
			continue
		}
		if got := c.enter(step.address); got != step.want {
			t.Fatalf("step %d: connection from %s is let in: %v", i, step.address, got)
		}
	}
	for _, address := range []netip.Addr{a, b, b} {
		c.leave(address)
	}
	if c.count() != 0 || len(c.byAddress) != 0 {
		t.Fatalf("%d connections and %d addresses left", c.count(), len(c.byAddress))
	}
}
