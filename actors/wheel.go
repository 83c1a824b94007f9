package actors

import (
	"sync"
	"time"
)

// wheelTick is the wheel's resolution and wheelSlots its size: deadlines further away than one turn
// stay where they are until their turn comes.
const (
	wheelTick  = 250 * time.Millisecond
	wheelSlots = 512
)

// wheel is a hashed timing wheel: one timer for the deadlines of all subscribers. Its lock is held
// for a few instructions, never across I/O, and not taken on delivery.
type wheel struct {
	mu    sync.Mutex
	slots [wheelSlots]*deadline
	// turn is the number of ticks since start that have been served.
	turn  int64
	start time.Time
}

// deadline is a subscriber's place on the wheel; guarded by the wheel's lock.
type deadline struct {
	subscriber *Subscriber
	turn       int64
	armed      bool
	prev, next *deadline
}

func newWheel(now time.Time) *wheel { return &wheel{start: now} }

// arm sets the time at which the subscriber is woken, in place of any other; never early, and late by
// up to two ticks.
func (w *wheel) arm(d *deadline, at time.Time) {
	turn := int64((at.Sub(w.start) + wheelTick - 1) / wheelTick)
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.armed {
		w.unlink(d)
	}
	d.turn, d.armed = max(turn, w.turn+1), true
	slot := &w.slots[d.turn%wheelSlots]
	d.prev, d.next = nil, *slot
	if *slot != nil {
		(*slot).prev = d
	}
	*slot = d
}

// disarm takes the deadline off.
func (w *wheel) disarm(d *deadline) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.armed {
		w.unlink(d)
	}
}

func (w *wheel) unlink(d *deadline) {
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		w.slots[d.turn%wheelSlots] = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	}
	d.prev, d.next, d.armed = nil, nil, false
}

// advance takes off the deadlines that have come by now and appends their subscribers to due.
func (w *wheel) advance(now time.Time, due []*Subscriber) []*Subscriber {
	until := int64(now.Sub(w.start) / wheelTick)
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.turn < until {
		w.turn++
		for d := w.slots[w.turn%wheelSlots]; d != nil; {
			next := d.next
			if d.turn <= w.turn {
				w.unlink(d)
				due = append(due, d.subscriber)
			}
			d = next
		}
	}
	return due
}
