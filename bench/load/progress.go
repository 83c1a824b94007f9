package load

import "sync/atomic"

// Progress counts what was published, for each lane of each group. Publishers write it; anyone reads it.
type Progress struct {
	lanes     int
	sent      []atomic.Uint32
	acked     []atomic.Uint32
	allSent   atomic.Int64
	allAcked  atomic.Int64
	delivered atomic.Int64
}

// NewProgress returns counters for groups that have the same number of lanes.
func NewProgress(groups, lanes int) *Progress {
	return &Progress{lanes: lanes, sent: make([]atomic.Uint32, groups*lanes), acked: make([]atomic.Uint32, groups*lanes)}
}

// Sent returns how many updates of a lane have been begun.
func (p *Progress) Sent(group, lane uint32) uint32 {
	return p.sent[int(group)*p.lanes+int(lane)].Load()
}

// Acked returns how many updates of a lane have been acknowledged.
func (p *Progress) Acked(group, lane uint32) uint32 {
	return p.acked[int(group)*p.lanes+int(lane)].Load()
}

// AllSent returns how many updates have been begun.
func (p *Progress) AllSent() int64 { return p.allSent.Load() }

// AllAcked returns how many updates have been acknowledged.
func (p *Progress) AllAcked() int64 { return p.allAcked.Load() }

// Delivered returns how many events the streams have received, as of their last step.
func (p *Progress) Delivered() int64 { return p.delivered.Load() }

// next takes the next number of a lane.
func (p *Progress) next(group, lane uint32) uint32 {
	p.allSent.Add(1)
	return p.sent[int(group)*p.lanes+int(lane)].Add(1) - 1
}

func (p *Progress) ack(group, lane uint32) {
	p.acked[int(group)*p.lanes+int(lane)].Add(1)
	p.allAcked.Add(1)
}
