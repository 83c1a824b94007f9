package ledger

import (
	"bytes"
	"fmt"

	"hubd/bench/stat"
	"hubd/bench/wire"
)

// maxCarry is the longest event that is waited for.
const maxCarry = 4 << 20

// Reader is one stream's place in its group's record.
type Reader struct {
	stream  int
	g       *Group
	faults  *Faults
	latency *stat.Histogram
	scanner *wire.Scanner

	// pos is how many events of the record the stream is done with; -1 from Join to the first event.
	pos int
	// part is how many bytes of the next event have come, all equal to the record's.
	part int
	// carry are the bytes of the next event that have come when part is 0.
	carry []byte
	// due is, for each lane, what had been sent when the stream opened: that and all after it is owed.
	due []uint32
	// waiting tells that carry holds events that were not on record when they came.
	waiting bool
	failed  bool
}

// ReaderOptions describe a stream's reader.
type ReaderOptions struct {
	// Stream is the number under which faults are reported.
	Stream int
	Group  *Group
	Faults *Faults
	// Latency receives the time from sending to arrival of every event, or is nil.
	Latency *stat.Histogram
	// Scanner may be shared by all readers of a goroutine.
	Scanner *wire.Scanner
}

// NewReader returns a reader of a stream that is owed everything from the record's start.
func NewReader(o ReaderOptions) Reader {
	return Reader{stream: o.Stream, g: o.Group, faults: o.Faults, latency: o.Latency, scanner: o.Scanner}
}

// Join says that the stream opens without a cursor now, when sent updates of each lane were begun: it
// is owed all later ones, and may get earlier ones, but without a gap. Another stream of the group must
// be open from the start to the end, because what came before the first event is known from the
// record alone.
func (r *Reader) Join(sent func(lane uint32) uint32) {
	r.pos, r.part, r.carry, r.failed, r.waiting = -1, 0, r.carry[:0], false, false
	r.due = r.due[:0]
	for lane := range r.g.next {
		r.due = append(r.due, sent(uint32(lane)))
	}
}

// Resume says that the stream was interrupted and goes on after the last event that came whole.
func (r *Reader) Resume() { r.part, r.carry = 0, r.carry[:0] }

// LastID returns the id of the last event, or nil when there was none.
func (r *Reader) LastID() []byte { return r.g.LastID(r.pos) }

// Place returns how many events of the record the stream is done with, or -1 when it joined and
// nothing has come.
func (r *Reader) Place() int { return r.pos }

// Failed reports whether a fault was found on the stream, after which it is not looked at any more.
func (r *Reader) Failed() bool { return r.failed }

// Carried returns bytes that Feed could not use yet. They must stand before the next ones that are fed.
func (r *Reader) Carried() []byte { return r.carry }

// Feed takes the next bytes of the stream, those of Carried and what has come since, at time now. It returns
// how many events they completed.
func (r *Reader) Feed(b []byte, now int64) int {
	r.carry = r.carry[:0]
	latency := r.latency
	if r.waiting { // how long they waited here is no latency of the hub's
		r.latency, r.waiting = nil, false
	}
	defer func() { r.latency = latency }()
	events := 0
	var ev wire.Event
	for len(b) > 0 && !r.failed {
		if n, done := r.match(b, now); n > 0 {
			b, events = b[n:], events+done
			continue
		}
		if r.part > 0 {
			at := r.g.start(r.pos)
			b = append(bytes.Clone(r.g.tape[at:at+r.part]), b...)
			r.part = 0
		}
		n, ok := r.scanner.Next(b, &ev)
		if !ok {
			if len(b)-n > maxCarry {
				r.fail(fmt.Sprintf("an event of more than %d bytes", maxCarry))
				return events
			}
			r.carry = append(r.carry, b[n:]...)
			return events
		}
		if !r.take(&ev, now) {
			if r.waiting {
				r.carry = append(r.carry, b...)
			}
			return events
		}
		events++
		b = b[n:]
	}
	return events
}

// match compares b with the record, as far as that goes, and returns how many bytes are equal and how
// many events they complete. When not all are equal it tries the next event alone, so that one
// heartbeat does not spoil what stands before it.
func (r *Reader) match(b []byte, now int64) (n, events int) {
	g := r.g
	if g.single || r.pos < 0 || r.pos >= len(g.entries) {
		return 0, 0
	}
	at := g.start(r.pos) + r.part
	n = min(len(b), len(g.tape)-at)
	if !bytes.Equal(b[:n], g.tape[at:at+n]) {
		n = g.entries[r.pos].end - at
		if n > len(b) || !bytes.Equal(b[:n], g.tape[at:at+n]) {
			return 0, 0
		}
	}
	end := at + n
	for r.pos < len(g.entries) && g.entries[r.pos].end <= end {
		if r.latency != nil {
			r.latency.Record(now - g.entries[r.pos].sentAt)
		}
		r.pos++
		events++
	}
	r.part = end - g.start(r.pos)
	return n, events
}

// take checks one parsed event.
func (r *Reader) take(ev *wire.Event, now int64) bool {
	p, ok := wire.ParsePayload(ev.Data)
	switch {
	case !ok || len(ev.Data) != r.g.size:
		r.fail(fmt.Sprintf("data that was never published: %.80q", ev.Data))
		return false
	case p.Group != r.g.Key:
		r.fail(fmt.Sprintf("an update for group %d: %s (id %s)", p.Group, name(p), ev.ID))
		return false
	case r.pos < 0 && !r.begin(p):
		r.waiting = true
		return false
	case r.failed:
		return false
	}
	wrong := ""
	if r.pos < r.g.count {
		wrong = r.g.compare(r.pos, ev, p)
	} else {
		wrong = r.g.add(ev, p)
	}
	if wrong != "" {
		r.fail(wrong)
		return false
	}
	r.pos++
	if r.latency != nil {
		r.latency.Record(now - p.SentAt)
	}
	return true
}

// begin finds the place of a late stream's first event, and checks that nothing owed is before it. It
// reports false when the place is not on record yet.
func (r *Reader) begin(p wire.Payload) bool {
	at := r.g.find(p)
	if at < 0 {
		return false
	}
	seen := make([]bool, len(r.due))
	for i, left := at-1, len(r.due); i >= 0 && left > 0; i-- {
		e := r.g.entries[i]
		if seen[e.lane] {
			continue
		}
		seen[e.lane] = true
		left--
		if e.n >= r.due[e.lane] {
			r.fail(fmt.Sprintf("the first event is %s, but lane %d number %d was sent after the stream was open",
				name(p), e.lane, e.n))
			return true
		}
	}
	r.pos = at
	return true
}

// Complete reports a fault when the stream has not received all that its group has.
func (r *Reader) Complete() {
	if r.waiting {
		r.Feed(bytes.Clone(r.carry), 0)
	}
	if r.failed {
		return
	}
	if r.pos < 0 {
		for lane, n := range r.g.next {
			if n > r.due[lane] {
				r.fail(fmt.Sprintf("nothing came, but lane %d number %d was sent after the stream was open", lane, r.due[lane]))
				return
			}
		}
		return
	}
	if r.pos < r.g.count {
		e := r.g.entries[r.pos]
		r.fail(fmt.Sprintf("%d events never came, first lane %d number %d (id %s)",
			r.g.count-r.pos, e.lane, e.n, r.g.LastID(r.pos+1)))
	}
}

func (r *Reader) fail(what string) {
	r.failed = true
	r.faults.Add(Fault{Stream: r.stream, Group: r.g.Key, Place: r.pos, What: what})
}
