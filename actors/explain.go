package actors

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"hubd/mercure"
	"hubd/topics"
)

// ErrNoAnswer is returned when a stream could not be asked in time.
var ErrNoAnswer = errors.New("no answer from the hub or the stream")

// explainPatience is how long a stream may take to answer. Its actor never waits, so a longer silence is a defect.
const explainPatience = 5 * time.Second

// Question asks what became of an event on a stream.
type Question struct {
	Stream StreamID
	// Event is the event's id.
	Event string
	// Asker is who wants to know; nil is the operator, who may know everything.
	Asker *Asker
}

// Asker is someone who may know what his token grants.
type Asker struct {
	// Grants are the topics that the token may subscribe to, nil for none.
	Grants *topics.Set
}

// Explain answers why a stream did or did not get an event, from what this hub knows. To an Asker a stream is unknown
// unless his grants select all of its subscriptions, as in the subscription API; and a private event is unknown unless
// they select one of its topics. Errors wrap ErrStopping or ErrNoAnswer, or come from the log.
func (h *Hub) Explain(q Question) (*Explanation, error) {
	x := &Explanation{Stream: q.Stream.String(), Event: q.Event}
	e, err := h.stored(q.Event)
	if err != nil {
		return nil, err
	}
	// The stream is asked even if the event is unknown, so that the time that takes tells nothing.
	at := uint64(0)
	if e != nil {
		at = e.Position
	}
	i, err := h.inquire(q.Stream, at)
	if err != nil {
		return nil, err
	}
	if i == nil || !q.Asker.maySee(i, h.o.HubPath) {
		x.conclude(UnknownStream, textUnknownStream)
		return x, nil
	}
	x.describe(i, q.Asker == nil)
	if e == nil || !q.Asker.mayRead(e) {
		x.conclude(UnknownEvent, textUnknownEvent)
		return x, nil
	}
	x.Update = &ExplainedUpdate{Topics: e.Topics, Private: e.Private, Stored: e.Time}
	x.judge(i, e, time.Now())
	return x, nil
}

// maySee reports whether the asker may know of the stream.
func (a *Asker) maySee(i *inspection, hubPath string) bool {
	if a == nil {
		return true
	}
	return !slices.ContainsFunc(i.want.Selectors(), func(sel *topics.Selector) bool {
		s := mercure.Subscription{Matcher: sel.Matcher(), Subscriber: i.id.String()}
		return !a.Grants.Match(s.Topic(hubPath))
	})
}

// mayRead reports whether the asker may know of the event.
func (a *Asker) mayRead(e *mercure.Event) bool { return a == nil || may(a.Grants, e) }

// stored returns the event with the id, or nil if none is retained.
func (h *Hub) stored(id string) (*mercure.Event, error) {
	position, found, err := h.o.Log.Find(id)
	if err != nil {
		return nil, fmt.Errorf("looking up event %q: %w", id, err)
	}
	if !found || position == 0 {
		return nil, nil
	}
	events, err := h.o.Log.Read(position-1, 1)
	if err != nil {
		return nil, fmt.Errorf("reading event %q: %w", id, err)
	}
	if len(events) == 0 || events[0].Position != position {
		return nil, nil // removed meanwhile
	}
	return events[0], nil
}

// inquire asks the stream, or what is remembered of it; nil if it is unknown.
func (h *Hub) inquire(id StreamID, position uint64) (*inspection, error) {
	return ask(h, func(reply chan<- *inspection) any { return inquiry{id, position, reply} })
}

// ask sends the hub actor a question and waits for the answer.
func ask[T any](h *Hub, question func(reply chan<- T) any) (answer T, err error) {
	h.mu.Lock()
	running := h.started && !h.stopping
	h.mu.Unlock()
	if !running {
		return answer, ErrStopping
	}
	reply := make(chan T, 1)
	h.toHub(question(reply))
	timer := time.NewTimer(explainPatience)
	defer timer.Stop()
	select {
	case answer = <-reply:
		return answer, nil
	case <-timer.C:
		return answer, fmt.Errorf("%w within %s", ErrNoAnswer, explainPatience)
	case <-h.broken:
	case <-h.quit:
	}
	return answer, ErrStopping
}

// RememberedStreams returns how many streams are remembered after their end, at most Options.EndedStreams.
func (h *Hub) RememberedStreams() int { return h.departed.remembered() }

// inquire has the stream answer. What was sent to it before comes first. One that has ended meanwhile asks here once more,
// when it has been forgotten.
func (q *sequencer) inquire(m inquiry) {
	at, dispatched := q.journal.at(m.position), q.stats.Dispatched()
	for _, s := range q.members {
		if s.past.id == m.id {
			q.tell(s, inspect{m.position, dispatched, at, m.reply})
			return
		}
	}
	d := q.departed.find(m.id)
	if d == nil {
		m.reply <- nil
		return
	}
	m.reply <- &inspection{
		past: d.past, want: d.want, grants: d.grants,
		over: true, ended: d.ended, reason: d.reason, reached: d.reached, dispatched: dispatched, fanned: at,
	}
}
