package main

import (
	"math/rand/v2"
)

// tick is a step of the simulation in seconds.
const tick = 0.001

// simulate lets one node die and returns the seconds until the last of its streams is back, and the longest that a
// stream waited. Each stream comes at a time and to a node of chance's choosing, and a node does in a tick what its
// cores have left beside the streams that it has.
func simulate(p plan, l load, m machine, c costs, random *rand.Rand) (seconds, longest float64) {
	others := p.nodes - 1
	span := int((l.backTo-l.backFrom)/tick) + 1
	nodes := make([]node, others)
	for i := range nodes {
		nodes[i] = node{arrivals: make([]int32, span), streams: p.perNode}
	}
	for range p.perNode {
		nodes[random.IntN(others)].arrivals[random.IntN(span)]++
	}
	for i := range nodes {
		end, wait := nodes[i].run(p, l, m, c)
		seconds, longest = max(seconds, l.backFrom+end), max(longest, wait)
	}
	return seconds, longest
}

// node is one that takes over streams of a dead one.
type node struct {
	arrivals []int32 // by tick
	streams  int
}

// run returns when the node is through with all that came, and the longest that one waited.
func (n *node) run(p plan, l load, m machine, c costs) (end, longest float64) {
	cost := c.back(l)
	queue := 0.0 // core-seconds
	streams := float64(n.streams)
	for t := 0; t < len(n.arrivals) || queue > 0; t++ {
		if t < len(n.arrivals) {
			queue += float64(n.arrivals[t]) * cost
			streams += float64(n.arrivals[t])
		}
		spare := float64(m.cores) - p.load(l, c, streams)
		if spare <= 0 {
			return forever, forever
		}
		longest = max(longest, queue/spare)
		queue = max(0, queue-spare*tick)
		end = float64(t+1) * tick
	}
	return end, longest
}

// forever is longer than any storm that is worth a look.
const forever = 1e9
