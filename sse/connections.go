package sse

import (
	"net/netip"
	"sync"
)

// connections counts open connections, in total and by address, against their limits.
type connections struct {
	max, maxPerAddress int

	// mu guards the counts; it is held for a few instructions.
	mu        sync.Mutex
	open      int
	byAddress map[netip.Addr]int
}

func newConnections(limit, perAddress int) *connections {
	return &connections{max: limit, maxPerAddress: perAddress, byAddress: make(map[netip.Addr]int)}
}

// enter counts a connection in, or reports that there are too many.
func (c *connections) enter(address netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.max > 0 && c.open >= c.max {
		return false
	}
	if c.maxPerAddress > 0 {
		if c.byAddress[address] >= c.maxPerAddress {
			return false
		}
		c.byAddress[address]++
	}
	c.open++
	return true
}

// admit counts a connection in, whatever the limits.
func (c *connections) admit(address netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	if c.maxPerAddress > 0 {
		c.byAddress[address]++
	}
}

func (c *connections) leave(address netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.maxPerAddress == 0 {
		return
	}
	if c.byAddress[address]--; c.byAddress[address] == 0 {
		delete(c.byAddress, address)
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}
