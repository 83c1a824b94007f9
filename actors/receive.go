package actors

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"hubd/topics"
)

// stopOnFault is the supervision of subscribers: one that panics ends, alone.
func stopOnFault() actor.SupervisorStrategy {
	return actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective })
}

// subscriberActor adapts messages to a Subscriber.
type subscriberActor struct {
	hub *Hub
	s   *Subscriber
}

// Receive implements actor.Actor.
func (a *subscriberActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case left:
		ctx.Stop(ctx.Self())
	case *actor.Stopping:
		if a.s != nil {
			a.s.end(ReasonFault)
		}
	case *actor.Stopped:
		a.hub.streamStopped()
	default:
		a.receive(m)
	}
}

func (a *subscriberActor) receive(message any) {
	switch m := message.(type) {
	case attach:
		a.s = m.s
		a.s.conn.Watch(a.s)
		a.s.begin(m.live)
	case tick:
		a.s.onTick()
	case writable:
		a.s.onWritable()
	case hungUp:
		a.s.end(ReasonClient)
	case *page:
		a.s.onPage(m)
	case joined:
		a.s.onJoined(m.at)
	case revoked:
		a.s.onRevoked()
	case drainAt:
		a.s.onDrain(m.at)
	case release:
		a.s.onRelease(m.to)
	case inspect:
		a.s.onInspect(m)
	}
}

// topicActor adapts messages to a topic.
type topicActor struct{ t *topic }

// Receive implements actor.Actor.
func (a *topicActor) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(deliver); ok {
		a.t.deliver(m.round, m.event)
	}
}

// hubActor adapts messages to the sequencer, and is its outbox.
type hubActor struct {
	hub *Hub
	ctx actor.Context
	q   *sequencer
	// backoff spaces the attempts to read a tail that fails.
	backoff backoff
}

// sequencerProps makes the hub actor. Topics are its children. A topic that fails has not shown an
// event to its audiences, and a hub actor that fails may have shown it to some: neither can go on without
// losing events, so both stop, the fault is reported and the process ends. Streams then resume from their cursors.
func (h *Hub) sequencerProps() *actor.Props {
	return actor.PropsFromProducer(
		func() actor.Actor { return &hubActor{hub: h} },
		actor.WithMailbox(actor.UnboundedLockfree()),
		actor.WithDispatcher(h.dispatcher),
		actor.WithSupervisor(stopOnFault()),
		actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, func(reason any) actor.Directive {
			h.fault <- fmt.Errorf("hub actor failed: %v", reason)
			close(h.broken)
			return actor.StopDirective
		})),
	)
}

// Receive implements actor.Actor.
func (a *hubActor) Receive(ctx actor.Context) {
	a.ctx = ctx
	switch m := ctx.Message().(type) {
	case available:
		a.hub.notified.Store(false)
		more, err := a.q.advance()
		a.followed(err)
		if more {
			a.hub.notify()
		}
		a.hub.gate.progress()
	case handled:
		a.q.handled(m)
		a.hub.notify()
	case enrol:
		a.q.enrol(m.s, m.live)
	case join:
		a.q.join(m.s)
	case overflowed:
		a.q.exit(m.s)
	case leave:
		a.q.leave(m)
	case sweep:
		a.q.sweep()
	case settle:
		a.q.settling = append(a.q.settling, m.done)
		a.hub.notify()
	case census:
		m.reply <- a.q.census()
	case revoke:
		m.reply <- a.q.revoke(m.followed, a.hub.revoked)
	case inquiry:
		a.q.inquire(m)
	case followed:
		m.reply <- a.q.followers(m.topics)
	case roll:
		m.reply <- a.q.roll(m.ended)
	case drain:
		a.q.drain(time.Now(), m.over)
	case release:
		a.q.release(m.to)
	case *actor.Started:
		a.q = &sequencer{
			out: a, announcer: a.hub.announcer, log: a.hub.o.Log, tail: a.hub.tail, stats: &a.hub.stats,
			queueBytes: a.hub.o.QueueBytes, batchBytes: a.hub.o.BatchBytes, fewReaders: fewReaders,
			index:     topics.NewIndex[*interest](a.hub.o.Space),
			grants:    topics.NewIndex[*interest](a.hub.o.Space),
			audiences: make(map[string]*audience),
			topics:    newTopicTable(a.hub.o.MaxTopics),
			journal:   newJournal(a.hub.o.JournalRounds, time.Now),
			departed:  a.hub.departed,
		}
	}
}

// followed notes whether the tail could be read. A store that cannot be reached is tried again later and later.
func (a *hubActor) followed(err error) {
	log := a.hub.o.Logger
	switch failing := a.backoff.pause > 0; {
	case err != nil:
		if !failing {
			log.Error("following the log failed, trying again", slog.Any("error", err))
		}
		a.hub.retryAt.Store(time.Now().Add(a.backoff.next()).UnixNano())
	case failing:
		a.backoff = backoff{}
		a.hub.retryAt.Store(0)
		log.Info("following the log works again")
	}
}

func (a *hubActor) toSubscriber(s *Subscriber, message any) { a.hub.toSubscriber(s, message) }
func (a *hubActor) toHub(message any)                       { a.hub.toHub(message) }
func (a *hubActor) whenHandled(m handled)                   { a.hub.workers.after(func() { a.hub.toHub(m) }) }
func (a *hubActor) stopTopic(ref *topicRef)                 { ref.stop() }

func (a *hubActor) spawnTopic(t *topic) *topicRef {
	props := actor.PropsFromProducer(
		func() actor.Actor { return &topicActor{t} },
		actor.WithMailbox(actor.UnboundedLockfree()),
		actor.WithDispatcher(actor.NewSynchronizedDispatcher(1)),
	)
	pid, root := a.ctx.Spawn(props), a.hub.o.System.Root
	return &topicRef{
		name: t.name, topic: t,
		mail: func(message any) { root.Send(pid, message) },
		stop: func() { root.Stop(pid) },
	}
}

// What follows makes the hub a mailer.

func (h *Hub) toHub(message any) { h.o.System.Root.Send(h.pid, message) }

func (h *Hub) toSubscriber(s *Subscriber, message any) { s.inbox.send(message) }

// sendPage returns when the subscriber has run, so that few pages wait for workers.
func (h *Hub) sendPage(s *Subscriber, p *page, t *turnstile) {
	h.toSubscriber(s, p)
	t.await(s.inbox.lane)
}

func (h *Hub) read(q *readRequest)           { h.replayer.request(q) }
func (h *Hub) arm(d *deadline, at time.Time) { h.wheel.arm(d, at) }
func (h *Hub) disarm(d *deadline)            { h.wheel.disarm(d) }
func (h *Hub) now() time.Time                { return time.Now() }
func (h *Hub) limits() *limits               { return &h.lim }
func (h *Hub) counters() *Stats              { return &h.stats }

func (h *Hub) scratch() *[]byte { return h.scratches.Get().(*[]byte) }
func (h *Hub) release(b *[]byte) {
	if cap(*b) <= 4*scratchBytes {
		h.scratches.Put(b)
	}
}

func (h *Hub) gone(s *Subscriber, r Reason) {
	h.stats.connected.Add(-1)
	h.stats.ended[r].Add(1)
	h.o.Logger.Debug("stream ended", slog.String("reason", r.String()))
}
