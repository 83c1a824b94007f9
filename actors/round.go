package actors

import "hubd/mercure"

// round is one turn of the sequencer: the events that it took from the tail, and the audiences that
// they are for.
type round struct {
	number  uint64
	events  []*mercure.Event
	touched []*audience
	// single and whole are the batches of one event and of all events, shared between audiences.
	single []*batch
	whole  *batch
	// few is scratch space for the events of one audience.
	few []*mercure.Event
}

// begin empties the round for its next turn and returns where the events go.
func (r *round) begin() []*mercure.Event {
	r.number++
	clear(r.events)
	clear(r.touched)
	clear(r.single)
	clear(r.few)
	r.touched, r.whole = r.touched[:0], nil
	return r.events[:0]
}

// hold sets the events of the turn.
func (r *round) hold(events []*mercure.Event) {
	r.events = events
	if cap(r.single) < len(events) {
		r.single = make([]*batch, len(events))
	}
	r.single = r.single[:len(events)]
}

// take notes that an event is for the audience.
func (r *round) take(a *audience, event int) {
	if a.round != r.number {
		a.round, a.pending = r.number, a.pending[:0]
		r.touched = append(r.touched, a)
	}
	a.pending = append(a.pending, event)
}

// batch returns what the round holds for the audience.
func (r *round) batch(a *audience) *batch {
	switch len(a.pending) {
	case 1:
		i := a.pending[0]
		if r.single[i] == nil {
			r.single[i] = newBatch(r.events[i : i+1])
		}
		return r.single[i]
	case len(r.events):
		if r.whole == nil {
			r.whole = newBatch(r.events)
		}
		return r.whole
	}
	r.few = r.few[:0]
	for _, i := range a.pending {
		r.few = append(r.few, r.events[i])
	}
	return newBatch(r.few)
}
