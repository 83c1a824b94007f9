package actors

import "time"

// membersPerClock is how many members of an audience are handed a batch on one look at the clock: well under a
// millisecond of work.
const membersPerClock = 8

// post is what the sequencer has for an audience: a batch for its members, or a message for one of them. The posts of an
// audience are taken in the order in which they were sent, so every member sees its own in that order.
//
// A batch goes to the members without a stop at each mailbox: the audience is run in the lane that runs them, and of
// ten thousand mailboxes none is in the processor's cache.
type post struct {
	next *post

	batch *batch
	// members are those at the time; the slice stays as it is.
	members []*Subscriber

	to      *Subscriber
	message any
}

func (p *post) link() **post { return &p.next }

// send puts a post into the audience's queue. It never waits. Called by the hub actor.
func (a *audience) send(p *post) {
	if a.posts.add(p) {
		a.lane.schedule(&a.turn)
	}
}

// hand has the batch handed to all members.
func (a *audience) hand(b *batch) {
	a.lent = true
	a.send(&post{batch: b, members: a.members})
}

// run is the audience's turn. Called by a worker.
func (a *audience) run() {
	for range passes {
		a.take(a.posts.take())
		if a.posts.rest() {
			return
		}
	}
	a.lane.schedule(&a.turn)
}

// take serves posts. Batches that wait together become one write for each member; whoever joined between them begins where
// it joined, and whoever left takes no notice. A member that is sent a message has what was sent before it first.
func (a *audience) take(first *post) {
	var members []*Subscriber
	size := 0
	for p := first; p != nil; p = p.next {
		if p.batch == nil {
			if size > 0 && p.to.joined {
				a.deliver([]*Subscriber{p.to}, gather(first, p))
			}
			p.to.inbox.hand(p.message)
			continue
		}
		if size > 0 && size+len(p.batch.frames) > a.mergeBytes {
			a.deliver(members, gather(first, p))
			first, size = p, 0
		}
		size += len(p.batch.frames)
		members = p.members
		a.lane.tally.passed.add(p.batch.cost * int64(len(members)))
	}
	if size > 0 {
		a.deliver(members, gather(first, nil))
	}
}

// gather makes one batch of those in the posts before end, of which there is at least one.
func gather(first, end *post) *batch {
	var parts []*batch
	for p := first; p != end; p = p.next {
		if p.batch != nil {
			parts = append(parts, p.batch)
		}
	}
	return concat(parts)
}

// deliver gives the members the batch, one after the other.
func (a *audience) deliver(members []*Subscriber, b *batch) {
	for len(members) > 0 {
		members = a.deliverSome(members, b)
	}
}

// deliverSome goes on until a member panics, and returns those after it.
func (a *audience) deliverSome(members []*Subscriber, b *batch) (rest []*Subscriber) {
	i, writes, events, now := 0, 0, 0, time.Time{}
	count := func() {
		a.lane.tally.written(writes, events, now.Sub(b.accepted))
		writes, events = 0, 0
	}
	defer func() {
		count()
		if r := recover(); r != nil {
			rest = members[i+1:]
			members[i].inbox.fail(r, b)
		}
	}()
	for ; i < len(members); i++ {
		s := members[i]
		if i%membersPerClock == 0 {
			count()
			now = s.hub.now()
		}
		if n := s.onBatch(b, now); n > 0 {
			writes, events = writes+1, events+n
		}
		a.lane.step()
	}
	return nil
}
