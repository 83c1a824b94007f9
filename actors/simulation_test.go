package actors

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
	"hubd/topics"
)

// simulation is the hub without goroutines, clock or network: the turns of mailboxes and audiences, every socket and every
// replay are lists from which a seeded source of chance takes the next thing to happen. Invariants I1, I2 and I3
// must hold whatever the order.
type simulation struct {
	t     *testing.T
	rng   *rand.Rand
	space *topics.Space
	log   persistence.Log
	q     *sequencer
	stats Stats
	clock time.Time

	toDo    []any // the hub's mailbox
	workers *workers
	due     []*turn // the lanes'
	clients []*client
	reads   []*readRequest
	events  []*mercure.Event // all that was committed
	retired []*Subscriber    // released
}

// client is a subscriber and the far end of its connection.
type client struct {
	s *Subscriber

	buffer   []byte // in the socket
	room     int    // the socket's size
	full     bool
	received []byte
	writes   int
	panics   bool
	closed   bool
	reason   Reason

	cursor *Cursor
	began  uint64 // the head when Subscribe was called
	opened uint64 // the head when the client saw the prelude
}

const simPrelude = "HEAD\n"

func (c *client) Watch(*Subscriber) {}

func (c *client) Write(p []byte) (int, error) {
	switch {
	case c.closed:
		return 0, errors.New("closed")
	case c.panics:
		panic("defect")
	}
	c.writes++
	n := min(len(p), c.room-len(c.buffer))
	c.buffer = append(c.buffer, p[:n]...)
	c.full = n < len(p)
	return n, nil
}

func (c *client) Close() error {
	c.closed = true
	return nil
}

func newSimulation(t *testing.T, seed uint64, retention persistence.Retention) *simulation {
	t.Helper()
	o := topics.Options{BaseURL: "https://hub.example/.well-known/mercure"}
	if seed%64 == 1 {
		o.CacheBytes = 1 << 20
	}
	space, err := topics.NewSpace(o)
	if err != nil {
		t.Fatal(err)
	}
	m := &simulation{t: t, rng: rand.New(rand.NewPCG(seed, 1)), space: space, clock: time.Unix(1e9, 0), workers: newWorkers(2, 1, 1)}
	m.stats.tallies = m.workers.tallies()
	if m.log, err = memory.Open(memory.Options{Retention: retention}); err != nil {
		t.Fatal(err)
	}
	tail, err := m.log.Tail(0, func() { m.toDo = append(m.toDo, available{}) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tail.Close()
		_ = m.log.Close()
		space.Close()
	})
	m.q = &sequencer{
		out: m, log: m.log, tail: tail, stats: &m.stats, queueBytes: 700, batchBytes: 400, fewReaders: int(seed % 4),
		index: topics.NewIndex[*interest](space), grants: topics.NewIndex[*interest](space), audiences: make(map[string]*audience), topics: newTopicTable(3),
	}
	return m
}

// What follows makes the simulation an outbox and a mailer.

func (m *simulation) toHub(message any) { m.toDo = append(m.toDo, message) }

func (m *simulation) whenHandled(h handled) { m.toHub(h) }

func (m *simulation) toSubscriber(s *Subscriber, message any) { s.inbox.send(message) }

// employ gives a subscriber its actor and begins its stream.
func (m *simulation) employ(s *Subscriber, live bool) {
	box := m.workers.newMailbox()
	a := &subscriberActor{}
	box.RegisterHandlers(&invoker{user: a.receive, failure: func(reason, message any) {
		m.t.Fatalf("panic on %#v: %v\n%s", message, reason, debug.Stack())
	}}, nil)
	box.PostUserMessage(attach{s, live})
}

func (m *simulation) spawnTopic(t *topic) *topicRef {
	return &topicRef{name: t.name, topic: t, stop: func() {}, mail: func(message any) {
		d := message.(deliver)
		t.deliver(d.round, d.event)
	}}
}

func (m *simulation) stopTopic(*topicRef)      {}
func (m *simulation) read(q *readRequest)      { m.reads = append(m.reads, q) }
func (m *simulation) arm(*deadline, time.Time) {}
func (m *simulation) disarm(*deadline)         {}
func (m *simulation) now() time.Time           { return m.clock }
func (m *simulation) limits() *limits          { return &limits{queue: m.q.queueBytes} }
func (m *simulation) counters() *Stats         { return &m.stats }
func (m *simulation) scratch() *[]byte         { return new([]byte) }
func (m *simulation) release(*[]byte)          {}
func (m *simulation) revoked(*Identity) bool   { return false }

func (m *simulation) gone(s *Subscriber, r Reason) {
	if r != ReasonHandover {
		s.conn.(*client).reason = r
	}
}

// The things that can happen.

func (m *simulation) publish() {
	var batch []*mercure.Event
	for range 1 + m.rng.IntN(4) {
		u := &mercure.Update{
			Topics:  []string{m.topic()},
			Data:    strings.Repeat("x", m.rng.IntN(300)),
			Private: m.rng.IntN(3) == 0,
		}
		if m.rng.IntN(3) == 0 {
			u.Topics = append(u.Topics, m.topic())
		}
		batch = append(batch, mercure.NewEvent(u))
	}
	if _, err := m.log.Append(batch); err != nil {
		m.t.Fatal(err)
	}
	m.events = append(m.events, batch...)
}

func (m *simulation) topic() string { return fmt.Sprintf("https://hub.example/t/%d", m.rng.IntN(6)) }

func (m *simulation) set() *topics.Set {
	choice := []mercure.Matcher{
		{Type: mercure.Exact, Pattern: m.topic()},
		{Type: mercure.Template, Pattern: m.topic()},
		{Type: mercure.Template, Pattern: "https://hub.example/t/{n}"},
		{Type: mercure.URLPattern, Pattern: "/t/:n"},
		{Type: mercure.Exact, Pattern: "*"},
	}
	var ms []mercure.Matcher
	for range 1 + m.rng.IntN(2) {
		ms = append(ms, choice[m.rng.IntN(len(choice))])
	}
	set, err := m.space.NewSet(ms)
	if err != nil {
		m.t.Fatal(err)
	}
	return set
}

func (m *simulation) connect() {
	c := &client{room: 100 + m.rng.IntN(900)}
	if m.rng.IntN(8) == 0 {
		c.room = len(simPrelude) - 1 // until something was read
	}
	_, c.began = m.log.Bounds()
	c.opened = 1 << 62
	c.s = &Subscriber{hub: m, conn: c, want: m.set(), member: -1, prelude: []byte(simPrelude)}
	if m.rng.IntN(2) == 0 {
		c.s.grants = m.set()
	}
	before, head := m.log.Bounds()
	switch m.rng.IntN(3) {
	case 0:
		c.cursor = &Cursor{Position: before}
	case 1:
		if head > before {
			c.cursor = &Cursor{Position: before + 1 + m.rng.Uint64N(head-before), Known: true}
		}
	}
	if c.cursor != nil {
		c.s.cursor, c.s.anchored = c.cursor.Position, c.cursor.Known
	}
	m.clients = append(m.clients, c)
	m.employ(c.s, c.cursor == nil)
}

// handOver releases a stream and goes on with it as another hub would.
func (m *simulation) handOver(c *client) {
	to := new(released)
	m.q.tell(c.s, release{to})
	for len(to.all()) == 0 {
		if !m.stepTurn() {
			return // it has ended
		}
	}
	o := to.all()[0]
	old := c.s
	c.s = &Subscriber{hub: m, conn: c, want: o.Want, grants: o.Grants, member: -1, prelude: o.Prelude}
	if o.Cursor != nil {
		c.s.cursor, c.s.anchored = o.Cursor.Position, o.Cursor.Known
	}
	m.retired = append(m.retired, old)
	m.employ(c.s, o.Cursor == nil)
}

// stepHub lets the hub actor take a message.
func (m *simulation) stepHub() bool {
	if len(m.toDo) == 0 {
		return false
	}
	message := m.toDo[0]
	m.toDo = m.toDo[1:]
	switch v := message.(type) {
	case available:
		more, err := m.q.advance()
		if err != nil {
			m.t.Fatal(err)
		}
		if more {
			m.toHub(available{})
		}
	case handled:
		m.q.handled(v)
		m.toHub(available{})
	case enrol:
		m.q.enrol(v.s, v.live)
	case join:
		m.q.join(v.s)
	case overflowed:
		m.q.exit(v.s)
	case leave:
		m.q.leave(v)
	case inquiry:
		m.q.inquire(v)
	case sweep:
		m.q.sweep()
	}
	return true
}

// stepTurn lets a subscriber actor or an audience have its turn. Workers go by the order of a lane's queue; nothing may
// depend on it.
func (m *simulation) stepTurn() bool {
	for _, l := range m.workers.lanes {
		for t := l.turns.take(); t != nil; t = t.next {
			m.due = append(m.due, t)
		}
	}
	if len(m.due) == 0 {
		return false
	}
	i := m.rng.IntN(len(m.due))
	t := m.due[i]
	m.due = slices.Delete(m.due, i, i+1)
	t.runner.run()
	return true
}

func (m *simulation) stepRead() bool {
	if len(m.reads) == 0 {
		return false
	}
	i := m.rng.IntN(len(m.reads))
	q := m.reads[i]
	m.reads = slices.Delete(m.reads, i, i+1)
	r := replayer{log: m.log, pageBytes: 350}
	m.toSubscriber(q.s, r.read(q))
	return true
}

// stepSocket lets the far end read some of what is in the socket.
func (m *simulation) stepSocket(c *client, all bool) bool {
	if len(c.buffer) == 0 || c.closed {
		return false
	}
	n := len(c.buffer)
	if !all {
		n = 1 + m.rng.IntN(n)
	}
	c.received = append(c.received, c.buffer[:n]...)
	c.buffer, c.room = c.buffer[n:], max(c.room, 100)
	if len(c.received) >= len(simPrelude) {
		_, head := m.log.Bounds()
		c.opened = min(c.opened, head)
	}
	if c.full {
		c.full = false
		m.toSubscriber(c.s, writable{})
	}
	return true
}

func (m *simulation) any() *client { return m.clients[m.rng.IntN(len(m.clients))] }

func (m *simulation) step() {
	switch n := m.rng.IntN(100); {
	case n < 6:
		m.publish()
	case n < 9 && len(m.clients) < 12:
		m.connect()
	case n < 10 && len(m.clients) > 0:
		m.toSubscriber(m.any().s, hungUp{})
	case n < 12 && len(m.clients) > 0:
		m.handOver(m.any())
	case n < 35:
		m.stepHub()
	case n < 50:
		m.stepRead()
	case len(m.clients) == 0:
	case n < 80:
		m.stepTurn()
	default:
		m.stepSocket(m.any(), false)
	}
}

// settle lets everything happen that is left to happen.
func (m *simulation) settle() {
	for busy := true; busy; {
		busy = m.stepHub()
		busy = m.stepRead() || busy
		busy = m.stepTurn() || busy
		for _, c := range m.clients {
			busy = m.stepSocket(c, true) || busy
		}
	}
}

// check compares what a client received with what it should have.
func (m *simulation) check(c *client) error {
	if c.closed {
		if c.reason != ReasonClient {
			return fmt.Errorf("ended for %s", c.reason)
		}
		c.received = c.received[:max(0, strings.LastIndex(string(c.received), "\n\n")+2-1)]
	} else if c.s.state != live {
		return fmt.Errorf("is not live in the end but %d", c.s.state)
	}
	text, found := strings.CutPrefix(string(c.received), simPrelude)
	if !found && !c.closed {
		return errors.New("got no prelude")
	}
	var got []string
	for e, err := range sse.Read(strings.NewReader(text), nil) {
		if err != nil {
			return fmt.Errorf("stream does not parse: %w", err)
		}
		got = append(got, e.LastEventID)
	}
	var want []string
	oldest := uint64(0)
	for _, e := range m.events {
		after := c.began
		if c.cursor != nil {
			after = c.cursor.Position
		}
		if e.Position <= after || !naive(c.s.want, e.Topics) || e.Private && !naive(c.s.grants, e.Topics) {
			continue
		}
		want = append(want, e.ID())
		if e.Position <= c.opened {
			oldest++
		}
	}
	return compare(got, want, c, oldest)
}

// naive matches without the index, the cache and the audiences: every selector that the simulation
// uses, by its definition.
func naive(set *topics.Set, names []string) bool {
	for _, name := range names {
		rest, below := strings.CutPrefix(name, "https://hub.example/t/")
		below = below && rest != "" && !strings.Contains(rest, "/")
		for i := range set.Len() {
			switch pattern := set.Selectors()[i].Matcher().Pattern; {
			case pattern == "*", pattern == name, strings.HasSuffix(pattern, "{n}") && below, strings.HasSuffix(pattern, ":n") && below:
				return true
			}
		}
	}
	return false
}

// compare demands that got is want, but for what a live stream may lack: events from before the
// client saw the response; and for what an ended stream did not live to see.
func compare(got, want []string, c *client, before uint64) error {
	if c.closed {
		want = want[:min(len(want), len(got))]
		if c.cursor == nil && len(got) > 0 {
			return nil // its beginning is checked on streams that live
		}
	}
	if c.cursor == nil && len(got) < len(want) && uint64(len(want)-len(got)) <= before {
		want = want[len(want)-len(got):]
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("received %d events, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
	return nil
}

// TestInvariantsI1I2I3 runs random histories. I1: what is committed reaches every open stream that
// may have it. I2: in log order, each once, from the cursor on. I3: no private event without a grant.
func TestInvariantsI1I2I3(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		simulate(t, seed, 1500)
	}
}

// FuzzInvariantsI1I2I3 lets the fuzzer choose the history: index, cache, audiences and grants against naive matching.
func FuzzInvariantsI1I2I3(f *testing.F) {
	f.Add(uint64(0), uint16(100))
	f.Add(uint64(1<<40), uint16(3000))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { simulate(t, seed, int(steps)%5000) })
}

func simulate(t *testing.T, seed uint64, steps int) {
	t.Helper()
	m := newSimulation(t, seed, persistence.Retention{})
	for range steps {
		m.step()
	}
	m.settle()
	for i, c := range m.clients {
		if err := m.check(c); err != nil {
			t.Fatalf("seed %d, client %d (cursor %+v, want %s): %v", seed, i, c.cursor, c.s.want.Key(), err)
		}
	}
	m.checkNothingLeft(seed)
}

// checkNothingLeft ends every stream and looks for what they leave behind (I4 and I5 in the small).
func (m *simulation) checkNothingLeft(seed uint64) {
	for _, c := range m.clients {
		m.toSubscriber(c.s, hungUp{})
	}
	m.settle()
	q := m.q
	if len(q.members)+len(q.audiences)+len(q.topics.list)+len(q.topics.byName)+q.index.Len()+q.grants.Len() != 0 {
		m.t.Fatalf("seed %d: left behind: %d members, %d audiences, %d topics, %d index entries",
			seed, len(q.members), len(q.audiences), len(q.topics.list), q.index.Len())
	}
	if m.stats.QueuedBytes() != 0 || m.stats.catchup.Load() != 0 {
		m.t.Fatalf("seed %d: counters left: queued %d, catching up %d", seed, m.stats.QueuedBytes(), m.stats.catchup.Load())
	}
	for _, c := range m.clients {
		m.retired = append(m.retired, c.s)
	}
	for _, s := range m.retired {
		if s.queued.load() != 0 {
			m.t.Fatalf("seed %d: %d bytes left in a queue", seed, s.queued.load())
		}
	}
}
