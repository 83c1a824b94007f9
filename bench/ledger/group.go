package ledger

import (
	"bytes"
	"fmt"

	"hubd/bench/wire"
)

// Group is a set of streams that are owed the same updates, and the record of what these were.
type Group struct {
	Key uint32
	// next is, for each lane, the number that the reference waits for.
	next []uint32
	// entries are the events in the order of the log, one behind the other in tape. A group of one
	// stream has nothing to compare and keeps only the last of them.
	entries []entry
	tape    []byte
	single  bool
	late    bool
	begun   []bool
	count   int
	size    int
}

// entry is one event of the reference.
type entry struct {
	end    int // in tape
	idAt   int // in tape
	idLen  int
	lane   uint32
	n      uint32
	sentAt int64
}

// GroupOptions describe a group.
type GroupOptions struct {
	Key uint32
	// Lanes is how many publishers number their updates.
	Lanes int
	// Payload is the length of the data of every update.
	Payload int
	// Single tells that the group has one stream only, which saves the memory of the record.
	Single bool
	// Late tells that the streams read a history whose beginning may be gone: the first number of each
	// lane is taken as it comes.
	Late bool
}

// NewGroup returns a group with nothing recorded.
func NewGroup(o GroupOptions) *Group {
	return &Group{
		Key: o.Key, next: make([]uint32, o.Lanes), single: o.Single,
		late: o.Late, begun: make([]bool, o.Lanes), size: max(o.Payload, wire.MinPayload),
	}
}

// Len returns how many events the group's foremost stream has received.
func (g *Group) Len() int { return g.count }

// LastID returns the id of the event at a place, counted from 1; only the last one is known of a
// single group. It returns nil for place 0.
func (g *Group) LastID(place int) []byte {
	if g.single {
		place = len(g.entries)
	}
	if place <= 0 || place > len(g.entries) {
		return nil
	}
	e := g.entries[place-1]
	return g.tape[e.idAt : e.idAt+e.idLen]
}

// Complete reports an error when a lane's acknowledged updates have not all been received, or more
// than were sent.
func (g *Group) Complete(acked, sent func(lane uint32) uint32) error {
	for lane, n := range g.next {
		a, s := acked(uint32(lane)), sent(uint32(lane))
		if n < a {
			return fmt.Errorf("group %d, lane %d: %d updates were acknowledged, only %d arrived", g.Key, lane, a, n)
		}
		if n > s {
			return fmt.Errorf("group %d, lane %d: %d updates were sent, but %d arrived", g.Key, lane, s, n)
		}
	}
	return nil
}

// start returns where in the tape the event at an index begins.
func (g *Group) start(i int) int {
	if i == 0 {
		return 0
	}
	return g.entries[i-1].end
}

// add checks an event that no stream had before and puts it on record. It returns what is wrong.
func (g *Group) add(ev *wire.Event, p wire.Payload) string {
	if int(p.Lane) >= len(g.next) {
		return fmt.Sprintf("%s from a lane that does not exist", name(p))
	}
	if g.late && !g.begun[p.Lane] {
		g.next[p.Lane] = p.N
	}
	switch want := g.next[p.Lane]; {
	case p.N > want:
		return fmt.Sprintf("%s came while number %d of its lane was due: lost or overtaken", name(p), want)
	case p.N < want:
		return fmt.Sprintf("%s came again: doubled or too late", name(p))
	}
	if len(ev.ID) == 0 {
		return fmt.Sprintf("%s has no id", name(p))
	}
	if g.count > 0 && !g.single && bytes.Equal(ev.ID, g.LastID(g.count)) {
		return fmt.Sprintf("%s has the id of the event before it", name(p))
	}
	g.next[p.Lane]++
	g.begun[p.Lane] = true
	g.count++
	if g.single {
		g.tape, g.entries = g.tape[:0], g.entries[:0]
	}
	at := len(g.tape)
	g.tape = append(g.tape, ev.Block...)
	g.entries = append(g.entries, entry{
		end: len(g.tape), idAt: at + ev.IDAt, idLen: len(ev.ID), lane: p.Lane, n: p.N, sentAt: p.SentAt,
	})
	return ""
}

// compare checks an event against the record at an index. It returns what is wrong.
func (g *Group) compare(i int, ev *wire.Event, p wire.Payload) string {
	e := g.entries[i]
	id := g.tape[e.idAt : e.idAt+e.idLen]
	if e.lane == p.Lane && e.n == p.N && e.sentAt == p.SentAt {
		if !bytes.Equal(id, ev.ID) {
			return fmt.Sprintf("%s has the id %q, but %q on another stream", name(p), ev.ID, id)
		}
		return ""
	}
	due := fmt.Sprintf("lane %d number %d (id %s) was due", e.lane, e.n, id)
	switch at := g.find(p); {
	case at == i:
		return fmt.Sprintf("%s was sent at %d, but at %d on another stream", name(p), p.SentAt, e.sentAt)
	case at < 0:
		return fmt.Sprintf("%s came, which no stream had yet, while %s: lost or overtaken", name(p), due)
	case at < i:
		return fmt.Sprintf("%s came again, while %s: doubled or reordered", name(p), due)
	default:
		return fmt.Sprintf("%s came while %s: %d events lost or overtaken", name(p), due, at-i)
	}
}

// find returns the index of an update in the record, searched from its end, or -1.
func (g *Group) find(p wire.Payload) int {
	for i := len(g.entries) - 1; i >= 0; i-- {
		if g.entries[i].lane == p.Lane && g.entries[i].n == p.N {
			return i
		}
	}
	return -1
}

func name(p wire.Payload) string { return fmt.Sprintf("lane %d number %d", p.Lane, p.N) }
