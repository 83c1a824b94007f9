package main

import "errors"

// load is what the streams of a deployment ask for.
type load struct {
	// streams are open at the same time.
	streams int
	// publishes are the updates a second of all publishers, payload the bytes of data in one.
	publishes float64
	payload   int
	// perStream are the updates a second that one stream gets.
	perStream float64
	// missed are the updates that a stream of a dead node has to catch up with.
	missed int
	// seconds after which clients come back: evenly spread from the first to the second.
	backFrom, backTo float64
}

// machine is one node.
type machine struct {
	cores  int
	memory int64 // bytes
	// most are the streams that one node may hold, whatever its size: so many come back when it dies.
	most int
	// busy and full are the shares of the cores and of the memory that may be in use while all nodes are up.
	busy, full float64
}

// costs are those of the hub on the processor, in core-seconds, and in memory, in bytes.
type costs struct {
	stream, socket         int64   // memory of an idle stream: in the hub and in the kernel
	fixed                  int64   // memory of a hub without streams: caches, ring and what waits
	delivery, heartbeat    float64 // a write that carries one update, or a comment
	connect                float64 // a stream's connect, token and subscription
	replay                 float64 // one update of the history, for one stream
	event                  float64 // reading an update from the engine and finding its topics
	lifetime, heartbeatGap float64 // seconds
	overhead               int     // bytes that an update takes in the engine besides its data
}

// measured are the costs of BENCHMARKS.md, each rounded up.
var measured = costs{
	stream: 3600, socket: 5400, fixed: 256 << 20,
	delivery: 16e-6, heartbeat: 14e-6, connect: 110e-6, replay: 1.5e-6, event: 25e-6,
	lifetime: 600, heartbeatGap: 15, overhead: 200,
}

func (l load) validate() error {
	switch {
	case l.streams <= 0 || l.publishes < 0 || l.payload < 0 || l.perStream < 0 || l.missed < 0:
		return errors.New("a load needs streams, and nothing in it is negative")
	case l.backFrom < 0 || l.backTo < l.backFrom:
		return errors.New("clients come back from a time on to a later one")
	}
	return nil
}

func (m machine) validate() error {
	if m.cores <= 0 || m.memory <= 0 || m.most <= 0 || m.busy <= 0 || m.busy > 1 || m.full <= 0 || m.full > 1 {
		return errors.New("a machine needs cores, memory and room for streams, and the shares of them that may be used lie between 0 and 1")
	}
	return nil
}

// steady is the processor time that one stream takes in a second, in core-seconds.
func (c costs) steady(l load) float64 {
	silent := max(0, 1/c.heartbeatGap-l.perStream)
	return l.perStream*c.delivery + silent*c.heartbeat + c.connect/c.lifetime
}

// back is the processor time of a stream's way back.
func (c costs) back(l load) float64 { return c.connect + float64(l.missed)*c.replay }
