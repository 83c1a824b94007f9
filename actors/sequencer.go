package actors

import (
	"time"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/topics"
)

// sweepStep is how many topics the sweep looks at in one turn of the hub actor.
const sweepStep = 256

// maxAhead is how many batches the workers may have in hand before the next round waits for them: a few milliseconds
// of work. What comes meanwhile makes a larger round, which costs hardly more than a small one.
const maxAhead = 4096

// fewReaders is the usual value of the sequencer's field.
const fewReaders = 64

// outbox is how the sequencer reaches the rest of the hub; the hub actor gives it protoactor's, tests
// give it their own.
type outbox interface {
	toSubscriber(s *Subscriber, message any)
	toHub(message any)
	// whenHandled has the hub sent the message once every subscriber that was sent something so far has run.
	whenHandled(message handled)
	spawnTopic(t *topic) *topicRef
	stopTopic(ref *topicRef)
}

// sequencer is the state of the hub actor: it walks the log and hands every event, in order, to the
// audiences that follow its topics. Only its actor touches it, except for what says otherwise.
type sequencer struct {
	out   outbox
	log   persistence.Log
	tail  persistence.Tail
	stats *Stats
	// announcer is told of subscribers that others may know of.
	announcer *announcer
	// journal and departed are for those who ask what became of an event.
	journal  *journal
	departed *departed

	queueBytes int64
	batchBytes int
	// fewReaders is up to how many audiences that may read a private event are asked whether they
	// follow it; beyond that those that follow it are asked whether they may read it.
	fewReaders int

	// index finds who follows a topic, and grants who may read its private events.
	index     *topics.Index[*interest]
	grants    *topics.Index[*interest]
	audiences map[string]*audience
	topics    *topicTable
	round     round
	lookup    []*topics.Node[*interest]

	// ahead is what the workers have in hand, and unmarked the newest part of it, after which no word is asked for yet.
	ahead, unmarked handled

	// members are all enrolled subscribers, joined or not.
	members []*Subscriber
	// settling waits for the tail to come to the head.
	settling []chan<- struct{}
	// draining is when the last stream ends because the hub stops; zero until then.
	draining time.Time
	// releasing collects the streams that another hub goes on with; nil until it is asked for.
	releasing *released
	sweeping  bool
	// swept counts the topics that the present sweep has looked at.
	swept int
}

// advance takes what the tail holds, up to the batch bound, and fans it out. It reports whether there
// may be more, and returns the tail's error, after which the caller tries again later.
func (q *sequencer) advance() (more bool, err error) {
	if q.ahead.batches >= maxAhead || q.ahead.bytes > q.queueBytes/2 {
		return false, nil // handled comes
	}
	events, err := q.tail.Next(q.round.begin(), q.batchBytes)
	q.round.hold(events)
	if len(events) == 0 {
		if err == nil {
			for _, done := range q.settling {
				close(done)
			}
			q.settling = nil
		}
		return false, err
	}
	if q.index.Len() > 0 {
		for i, e := range events {
			q.address(i, e)
		}
		q.journal.note(events[0].Position, events[len(events)-1].Position)
		q.handOver()
	}
	q.stats.dispatched.Store(events[len(events)-1].Position)
	return true, err
}

// address shows an event to the actors of its topics; a topic that nobody follows gets none.
func (q *sequencer) address(i int, e *mercure.Event) {
	if e.Private && q.addressGranted(i, e) {
		return
	}
	for _, name := range e.Topics {
		ref := q.topics.get(name)
		if ref == nil {
			q.lookup = q.index.Lookup(name, q.lookup[:0])
			if len(q.lookup) == 0 {
				continue
			}
			ref = q.open(name)
		}
		ref.mail(deliver{&q.round, i})
		if ref.topic.shown != e.Position {
			// Going on would let streams pass an event that they never got, for good.
			panic("topic actor failed on an event")
		}
	}
}

// addressGranted takes a private event for those who may read it and follow one of its topics, unless
// they are many: where each stream has grants of its own, a topic that all follow would otherwise ask every one of them.
func (q *sequencer) addressGranted(i int, e *mercure.Event) bool {
	q.lookup = q.lookup[:0]
	for _, name := range e.Topics {
		q.lookup = q.grants.Lookup(name, q.lookup)
	}
	readers := 0
	for _, node := range q.lookup {
		readers += len(node.Value.audiences)
	}
	if readers > q.fewReaders {
		return false
	}
	for _, node := range q.lookup {
		for _, p := range node.Value.audiences {
			if a := p.audience; a.seen != e.Position {
				a.seen = e.Position
				if a.want.MatchAny(e.Topics) {
					q.round.take(a, i)
				}
			}
		}
	}
	return true
}

func (q *sequencer) open(name string) *topicRef {
	ref := q.out.spawnTopic(newTopic(name, q.index))
	if evicted := q.topics.add(ref); evicted != nil {
		q.out.stopTopic(evicted)
	}
	q.stats.topics.Store(int64(len(q.topics.list)))
	return ref
}

func (q *sequencer) close(ref *topicRef) {
	q.topics.remove(ref)
	q.out.stopTopic(ref)
	q.stats.topics.Store(int64(len(q.topics.list)))
}

// handled takes off what the workers are through with.
func (q *sequencer) handled(m handled) {
	q.ahead.batches -= m.batches
	q.ahead.bytes -= m.bytes
}

// handOver gives every touched audience its batch.
func (q *sequencer) handOver() {
	var handed handled
	for _, a := range q.round.touched {
		b := q.round.batch(a)
		handed.batches += len(a.members)
		handed.bytes = max(handed.bytes, b.cost)
		q.stats.handed.Add(b.cost * int64(len(a.members)))
		a.hand(b)
	}
	q.count(handed)
}

// tell sends a message to a subscriber, after everything that its audience was sent.
func (q *sequencer) tell(s *Subscriber, message any) {
	if s.audience == nil {
		q.out.toSubscriber(s, message)
		return
	}
	s.audience.send(&post{to: s, message: message})
}

// count adds a round to what the workers have in hand. Word is asked for after half of what they may have, not after
// each round: it wakes every worker, for each of its lanes.
func (q *sequencer) count(round handled) {
	q.ahead.batches += round.batches
	q.ahead.bytes += round.bytes
	q.unmarked.batches += round.batches
	q.unmarked.bytes += round.bytes
	if q.unmarked.batches >= maxAhead/2 || q.unmarked.bytes > q.queueBytes/4 {
		q.out.whenHandled(q.unmarked)
		q.unmarked = handled{}
	}
}

// enrol makes a subscriber known; one without a cursor joins at once, at the head, so that it gets
// nothing that was committed before it came.
func (q *sequencer) enrol(s *Subscriber, live bool) {
	s.member = int32(len(q.members))
	q.members = append(q.members, s)
	if live {
		q.enter(s)
		_, head := q.log.Bounds()
		q.tell(s, joined{head})
	}
	// After the head was read: the event of its arrival may be stored at once, and comes after the stream has joined.
	if s.presence != nil && s.presence.state == arriving {
		q.announcer.arrived(s)
	}
	switch {
	case q.releasing != nil:
		q.tell(s, release{q.releasing})
	case !q.draining.IsZero():
		q.tell(s, drainAt{q.draining})
	}
}

// join lets a subscriber that read up to here have what comes after. An audience's place in the
// index must be known to topics before the next event, which the index's generation sees to.
func (q *sequencer) join(s *Subscriber) {
	if s.member < 0 || s.audience != nil {
		return
	}
	q.enter(s)
	q.tell(s, joined{q.stats.dispatched.Load()})
}

// leave forgets a subscriber, which may have ended before it was enrolled.
func (q *sequencer) leave(m leave) {
	s := m.s
	defer q.out.toSubscriber(s, left{})
	if s.member < 0 {
		return
	}
	q.exit(s)
	last := len(q.members) - 1
	q.members[s.member] = q.members[last]
	q.members[s.member].member = s.member
	q.members[last] = nil
	q.members = q.members[:last]
	s.member = -1
	q.departed.add(m)
	if s.presence != nil && !s.released {
		q.announcer.departed(s)
	}
}

// census lists the subscriptions of all subscribers that others may know of.
func (q *sequencer) census() []mercure.Subscription {
	var all []mercure.Subscription
	for _, s := range q.members {
		if s.presence != nil {
			all = append(all, s.presence.subscriptions...)
		}
	}
	return all
}

func (q *sequencer) enter(s *Subscriber) {
	key := audienceKey(s.want, s.grants, s.inbox.lane)
	a := q.audiences[key]
	if a == nil {
		a = newAudience(key, s.want, s.grants, s.inbox.lane, q.batchBytes)
		a.follows.attach(a, q.index, s.want)
		a.reads.attach(a, q.grants, s.grants)
		q.audiences[key] = a
	}
	a.enter(s)
}

// exit takes a subscriber out of its audience, and the audience out of the index when it was the last.
func (q *sequencer) exit(s *Subscriber) {
	a := s.audience
	if a == nil {
		return
	}
	a.exit(s)
	if len(a.members) > 0 {
		return
	}
	delete(q.audiences, a.key)
	a.follows.detach(q.index)
	a.reads.detach(q.grants)
	q.unfollow(a.want)
	if len(q.topics.list) > 0 && !q.sweeping {
		q.sweeping, q.swept = true, 0
		q.out.toHub(sweep{})
	}
}

// unfollow ends the topics that a set of matchers names outright and that nobody follows now; those
// that only a pattern selected are left to the sweep.
func (q *sequencer) unfollow(want *topics.Set) {
	for _, sel := range want.Selectors() {
		if ref := q.topics.byName[sel.Matcher().Pattern]; ref != nil && !ref.topic.followed() {
			q.close(ref)
		}
	}
}

// sweep ends topics that nobody follows any more, a step at a time so that events do not wait for it.
func (q *sequencer) sweep() {
	for range sweepStep {
		if q.swept >= len(q.topics.list) {
			q.sweeping = false
			return
		}
		if ref := q.topics.list[q.swept]; ref.topic.followed() {
			q.swept++
		} else {
			q.close(ref)
		}
	}
	q.out.toHub(sweep{})
}

// drain ends every stream within the time from now, evenly spread.
func (q *sequencer) drain(now time.Time, over time.Duration) {
	q.draining = now.Add(over)
	for i, s := range q.members {
		q.tell(s, drainAt{now.Add(over * time.Duration(i+1) / time.Duration(len(q.members)))})
	}
}

// release hands every stream over.
func (q *sequencer) release(to *released) {
	q.releasing = to
	for _, s := range q.members {
		q.tell(s, release{to})
	}
}
