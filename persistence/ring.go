package persistence

import (
	"errors"
	"sync/atomic"

	"hubd/mercure"
)

// Defaults of RingOptions.
const (
	DefaultRingBytes = 32 << 20
	DefaultRingSlots = 1 << 16
)

// eventOverhead is what an event takes besides its frame and its topics' text: the struct, the headers of
// its topics and the allocator's rounding.
const eventOverhead = 160

// RingOptions bounds a ring. Zero fields take the defaults.
type RingOptions struct {
	// Bytes bounds the memory of the events held, their overhead included.
	Bytes int64
	// Slots is the number of events held, a power of two.
	Slots int
}

func (o RingOptions) withDefaults() RingOptions {
	if o.Bytes == 0 {
		o.Bytes = DefaultRingBytes
	}
	if o.Slots == 0 {
		o.Slots = DefaultRingSlots
	}
	return o
}

// Validate reports a bound that no ring can have.
func (o RingOptions) Validate() error {
	o = o.withDefaults()
	if o.Bytes < 0 {
		return errors.New("ring: the number of bytes is negative")
	}
	if o.Slots < 0 || o.Slots&(o.Slots-1) != 0 {
		return errors.New("ring: the number of slots is not a power of two")
	}
	return nil
}

// Ring holds the newest events, the very ones that were appended. One goroutine adds, any number
// reads, none waits for another: a slot is one atomic pointer, and an event that is not at its
// position there has been overtaken and is to be read from the store.
type Ring struct {
	slots []atomic.Pointer[mercure.Event]
	limit int64

	// before is the position before the oldest event held. Written by the adder only, after the slots
	// below it were cleared.
	before atomic.Uint64

	// Owned by the adder.
	last uint64 // position of the newest event held, or before if there is none
	cost int64  // of all events held
}

// NewRing returns an empty ring. The options must be valid.
func NewRing(o RingOptions) *Ring {
	o = o.withDefaults()
	return &Ring{slots: make([]atomic.Pointer[mercure.Event], o.Slots), limit: o.Bytes}
}

func (r *Ring) slot(position uint64) *atomic.Pointer[mercure.Event] {
	return &r.slots[position&uint64(len(r.slots)-1)]
}

// Add puts placed events, which follow one another, into the ring and drops the oldest to make room.
// Where they do not follow what the ring holds, they replace it.
func (r *Ring) Add(events []*mercure.Event) {
	for _, e := range events {
		if e.Position != r.last+1 {
			r.Reset(e.Position - 1)
		}
		cost := int64(Size(e) + eventOverhead)
		for r.last > r.before.Load() && (r.cost+cost > r.limit || r.last-r.before.Load() >= uint64(len(r.slots))) {
			r.drop()
		}
		r.last = e.Position
		if cost > r.limit {
			r.before.Store(r.last)
			continue
		}
		r.slot(e.Position).Store(e)
		r.cost += cost
	}
}

// Reset empties the ring. The next event added is expected to have the position after head.
func (r *Ring) Reset(head uint64) {
	for r.last > r.before.Load() {
		r.drop()
	}
	r.last = head
	r.before.Store(head)
}

func (r *Ring) drop() {
	oldest := r.before.Load() + 1
	e := r.slot(oldest).Swap(nil)
	r.cost -= int64(Size(e) + eventOverhead)
	r.before.Store(oldest)
}

// Before returns the position before the oldest event held. It may be out of date when it returns.
func (r *Ring) Before() uint64 { return r.before.Load() }

// At returns the event at the position, or nil if the ring does not hold it.
func (r *Ring) At(position uint64) *mercure.Event {
	if e := r.slot(position).Load(); e != nil && e.Position == position {
		return e
	}
	return nil
}

// Read appends the events after the position, up to head, to buf: at least one, and no more than fit
// into maxBytes of frames. It returns false, and buf as it was, if the ring does not hold the first of
// them; with after at head there is nothing to hold and it returns true.
func (r *Ring) Read(after, head uint64, maxBytes int, buf []*mercure.Event) ([]*mercure.Event, bool) {
	for position := after + 1; position <= head; position++ {
		e := r.At(position)
		if e == nil {
			return buf, position > after+1
		}
		maxBytes -= len(e.Frame())
		if maxBytes < 0 && position > after+1 {
			break
		}
		buf = append(buf, e)
	}
	return buf, true
}
