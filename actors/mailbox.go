package actors

import "github.com/asynkron/protoactor-go/actor"

// passes is how often in its turn an actor looks for messages that have come meanwhile, before it goes to the end of
// its lane's queue.
const passes = 4

// mailbox is the mailbox of a subscriber actor; docs/decisions says why it is not one of protoactor's. One word
// holds the messages and says whether the actor is awake.
//
// System messages keep their place among the others, so a stop comes after what was sent before it. After a panic
// only system messages are taken: the supervision of subscribers answers a failure by a stop.
type mailbox struct {
	letters pile[letter, *letter]
	turn    turn
	lane    *lane
	invoker actor.MessageInvoker

	// s is the actor's subscriber. Owned by the lane once it is attached.
	s *Subscriber
	// failed says that the actor has panicked. Owned by the lane.
	failed bool
}

// letter is a message in a mailbox.
type letter struct {
	next    *letter
	message any
	system  bool
}

func (l *letter) link() **letter { return &l.next }

// send puts a message into the mailbox. It never waits.
func (m *mailbox) send(message any) { m.post(&letter{message: message}) }

func (m *mailbox) post(l *letter) {
	if m.letters.add(l) {
		m.lane.schedule(&m.turn)
	}
}

// PostUserMessage implements actor.Mailbox. The first message is attach: the subscriber gets its mailbox, so that what
// follows need not look for it in the registry of processes.
func (m *mailbox) PostUserMessage(message any) {
	if a, ok := message.(attach); ok {
		a.s.inbox, m.s = m, a.s
	}
	m.send(message)
}

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(message any) { m.post(&letter{message: message, system: true}) }

// RegisterHandlers implements actor.Mailbox. The workers are the dispatcher.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

// Start implements actor.Mailbox.
func (m *mailbox) Start() {}

// UserMessageCount implements actor.Mailbox for protoactor's own metrics, which are off: messages are not counted.
func (m *mailbox) UserMessageCount() int { return 0 }

// run is the actor's turn. Called by a worker.
func (m *mailbox) run() {
	for range passes {
		m.deliver(m.letters.take())
		if m.letters.rest() {
			return
		}
	}
	m.lane.schedule(&m.turn)
}

// hand gives the actor a message that reached it through its audience, after those that wait in the mailbox. Called by a
// worker.
func (m *mailbox) hand(message any) {
	if m.letters.filled() {
		m.deliver(m.letters.take()) // the turn that is due finds the rest
	}
	m.deliver(&letter{message: message})
}

// deliver gives the actor what was taken, the oldest first.
func (m *mailbox) deliver(l *letter) {
	for l != nil {
		l = m.deliverSome(l)
	}
}

// deliverSome goes on until the actor panics on a message, and returns what came after that.
func (m *mailbox) deliverSome(l *letter) (rest *letter) {
	defer func() {
		if r := recover(); r != nil {
			rest = l.next
			m.fail(r, l.message)
		}
	}()
	for ; l != nil; l = l.next {
		switch {
		case !l.system:
			if !m.failed {
				m.invoker.InvokeUserMessage(l.message)
			}
		case !suspends(l.message):
			m.invoker.InvokeSystemMessage(l.message)
		}
	}
	return nil
}

// fail says that the actor has panicked: it gets nothing more but the end.
func (m *mailbox) fail(reason, message any) {
	m.failed = true
	if m.s != nil {
		m.s.joined = false
	}
	m.invoker.EscalateFailure(reason, message)
}

// suspends reports whether a system message is about the mailbox itself, which has suspended itself already.
func suspends(message any) bool {
	switch message.(type) {
	case *actor.SuspendMailbox, *actor.ResumeMailbox:
		return true
	}
	return false
}
