package sharedtest

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// Engine is what the nodes share. All methods may be called from any goroutine.
type Engine struct {
	cipher *persistence.IDCipher
	// clock is that of leases.
	clock func() time.Time

	// mu guards what follows; it is held for work in memory only.
	mu       sync.Mutex
	before   uint64
	events   []*mercure.Event // retained, without gaps
	size     uint64
	last     string // id of the newest event ever
	own      map[string][]uint64
	setbacks persistence.Setbacks
	boards   map[string]*board
	// changed is closed, and another takes its place, when there may be news for those who wait.
	changed chan struct{}
}

// NewEngine returns an engine without events. The clock is that of leases; nil is time.Now.
func NewEngine(clock func() time.Time) (*Engine, error) {
	key := make([]byte, persistence.IDKeyLen)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make the id key: %w", err)
	}
	cipher, err := persistence.NewIDCipher(key)
	if err != nil {
		return nil, err
	}
	if clock == nil {
		clock = time.Now
	}
	return &Engine{cipher: cipher, clock: clock, own: map[string][]uint64{}, boards: map[string]*board{}, changed: make(chan struct{})}, nil
}

// Lose takes the newest n events away, as a replica does that takes over before it had them.
func (e *Engine) Lose(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	kept := len(e.events) - n
	for _, lost := range e.events[kept:] {
		e.size -= uint64(persistence.Size(lost))
		if positions := e.own[lost.ID()]; lost.OwnID {
			e.own[lost.ID()] = positions[:len(positions)-1]
		}
	}
	e.events = e.events[:kept:kept]
	e.wake()
}

// wake tells everyone who waits. Called with mu held.
func (e *Engine) wake() {
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *Engine) head() uint64 { return e.before + uint64(len(e.events)) }

func (e *Engine) extent() persistence.Extent {
	return persistence.Extent{Before: e.before, Head: e.head(), LastID: e.last}
}

// append places and stores the batch.
func (e *Engine) append(batch []*mercure.Event, r persistence.Retention, now time.Time) persistence.Extent {
	for _, event := range batch {
		position := e.head() + 1
		event.Place(position, now, e.cipher.Append(nil, position))
		e.events = append(e.events, event)
		e.setbacks.Note(position, now)
		e.size += uint64(persistence.Size(event))
		if event.OwnID {
			e.own[event.ID()] = append(e.own[event.ID()], position)
		}
	}
	e.last = batch[len(batch)-1].ID()
	e.trim(r, now)
	e.wake()
	return e.extent()
}

// trim removes what exceeds the retention.
func (e *Engine) trim(r persistence.Retention, now time.Time) {
	expired := e.setbacks.Expired(now, r.MaxAge)
	for len(e.events) > 0 {
		oldest := e.events[0]
		if oldest.Position > expired && !r.Exceeded(uint64(len(e.events)), e.size, now.Sub(oldest.Time)) {
			return
		}
		e.size -= uint64(persistence.Size(oldest))
		if oldest.OwnID {
			if e.own[oldest.ID()] = e.own[oldest.ID()][1:]; len(e.own[oldest.ID()]) == 0 {
				delete(e.own, oldest.ID())
			}
		}
		e.events = e.events[1:]
		e.before++
		e.setbacks.Forget(e.before)
	}
}

// page returns a copy of what follows the position.
func (e *Engine) page(after, upto uint64, maxBytes int) []*mercure.Event {
	if upto == 0 {
		upto = e.head()
	}
	var page []*mercure.Event
	for position := max(after, e.before) + 1; position <= min(upto, e.head()); position++ {
		event := e.events[position-e.before-1]
		if maxBytes -= len(event.Frame()); maxBytes < 0 && len(page) > 0 {
			break
		}
		page = append(page, event)
	}
	return page
}

// find returns the earliest retained event with the id. What a node has not heard yet to be gone, which is what lies
// after the position before, is still there for it.
func (e *Engine) find(id string, before uint64) (uint64, bool) {
	made, ok := e.cipher.Position(id)
	ok = ok && made > min(before, e.before) && made <= e.head() && (made <= e.before || !e.events[made-e.before-1].OwnID)
	if own := e.own[id]; len(own) > 0 && !(ok && made < own[0]) {
		return own[0], true
	}
	return made, ok
}

// fill makes events that nobody follows take the positions up to the head.
func (e *Engine) fill(head uint64, now time.Time) {
	for e.head() < head {
		e.append([]*mercure.Event{mercure.NewEvent(&mercure.Update{})}, persistence.Retention{}, now)
	}
}
