package main

import (
	"errors"
	"math"
)

// errTooBusy says that the updates alone are more than a node can read.
var errTooBusy = errors.New("each node reads every update, and these are too many for one: split the deployment by topics")

// plan is what a load takes.
type plan struct {
	// byMemory, byCores and byMost are the nodes that the streams need by each, nodes the greatest of them and one to spare.
	byMemory, byCores, byMost, nodes int
	// perNode are the streams of a node while all are up, memory what it uses, busy the share of its cores.
	perNode int
	memory  int64
	busy    float64
	// appended and read are what the engine takes in and gives out in a second, in bytes, with every node's copy.
	appended, read float64
	// requests are the look-ups a second of all nodes for leases and revocations.
	requests float64
	// recovery is the seconds from a node's death until its last stream has what it missed, and worst the share of the
	// cores of the others while they are at it.
	recovery, worst float64
}

// leaseRequests is how often a second a node asks the engine whether tokens were revoked and renews its lease.
const leaseRequests = 1 + 1.0/5

func newPlan(l load, m machine, c costs) (plan, error) {
	if err := errors.Join(l.validate(), m.validate()); err != nil {
		return plan{}, err
	}
	var p plan
	room := float64(m.memory)*m.full - float64(c.fixed)
	free := float64(m.cores)*m.busy - l.publishes*c.event
	if room <= 0 || free <= 0 {
		return plan{}, errTooBusy
	}
	streams := float64(l.streams)
	p.byMemory = int(math.Ceil(streams * float64(c.stream+c.socket) / room))
	p.byCores = int(math.Ceil(streams * c.steady(l) / free))
	p.byMost = int(math.Ceil(streams / float64(m.most)))
	p.nodes = max(p.byMemory, p.byCores, p.byMost) + 1
	p.perNode = int(math.Ceil(streams / float64(p.nodes)))
	p.memory = c.fixed + int64(p.perNode)*(c.stream+c.socket)
	p.busy = p.load(l, c, float64(p.perNode)) / float64(m.cores)
	p.appended = l.publishes * float64(l.payload+c.overhead)
	p.read = p.appended * float64(p.nodes)
	p.requests = float64(p.nodes) * leaseRequests
	p.recovery, p.worst = p.storm(l, m, c)
	return p, nil
}

// load is the processor time that a node with so many streams takes in a second.
func (p plan) load(l load, c costs, streams float64) float64 {
	return l.publishes*c.event + streams*c.steady(l)
}

// storm is how long the streams of a node that dies take to be back at the others. Their work comes evenly while
// clients come back, and is done by what the others have left beside their own streams and those that are back.
func (p plan) storm(l load, m machine, c costs) (seconds, busiest float64) {
	others := float64(p.nodes - 1)
	each := float64(p.perNode) / others // streams that come to one of the others
	spare := float64(m.cores) - p.load(l, c, float64(p.perNode)+each)
	if spare <= 0 {
		return math.Inf(1), 1
	}
	work := each * c.back(l)
	seconds = max(l.backTo, l.backFrom+work/spare)
	busiest = min(1, 1-spare/float64(m.cores)+work/max(l.backTo-l.backFrom, work/spare)/float64(m.cores))
	return seconds, busiest
}
