package actors

import (
	"strings"
	"testing"

	"hubd/mercure"
	"hubd/persistence"
)

// gathering returns n streams of everything that are live in the same lane, and the simulation that they are in.
func gathering(t *testing.T, n int) (*simulation, []*client) {
	t.Helper()
	m := newSimulation(t, 1, persistence.Retention{})
	m.workers = newWorkers(1, 1, 1)
	m.stats.tallies = m.workers.tallies()
	all, err := m.space.NewSet([]mercure.Matcher{{Pattern: mercure.Wildcard}})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		c := &client{room: 1 << 20}
		c.s = &Subscriber{hub: m, conn: c, want: all, grants: all, member: -1}
		m.clients = append(m.clients, c)
		m.employ(c.s, true)
	}
	m.settle()
	return m, m.clients
}

// round fans out an update, which is one round as long as nobody else publishes.
func (m *simulation) round(data string) {
	m.t.Helper()
	if _, err := m.log.Append([]*mercure.Event{mercure.NewEvent(&mercure.Update{Topics: []string{"t"}, Data: data})}); err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.q.advance(); err != nil {
		m.t.Fatal(err)
	}
}

// Rounds that wait together are written at once, as far as the bound on merging allows.
func TestBatchesThatWaitAreOneWrite(t *testing.T) {
	t.Parallel()
	m, clients := gathering(t, 3)
	m.q.queueBytes = 1 << 20 // it does not wait for the workers
	a := clients[0].s.audience
	for merge, want := range map[int]int{1 << 20: 1, 1: 3} {
		a.mergeBytes = merge
		for _, c := range clients {
			c.writes, c.buffer = 0, nil
		}
		for range 3 {
			m.round("data")
		}
		a.run()
		for i, c := range clients {
			if got := strings.Count(string(c.buffer), "data: data\n"); got != 3 || c.writes != want {
				t.Errorf("stream %d got %d events in %d writes, want 3 in %d", i, got, c.writes, want)
			}
		}
		if queued := m.stats.QueuedBytes(); queued != 0 {
			t.Errorf("%d bytes count as queued", queued)
		}
	}
}

// A stream that joins between two rounds which are written as one gets the second alone, and one that leaves gets none.
func TestRoundsAreForThoseWhoWereThere(t *testing.T) {
	t.Parallel()
	m, clients := gathering(t, 4)
	a, stays, leaves, comes := clients[0].s.audience, clients[0], clients[1], clients[2]
	m.q.exit(comes.s)
	comes.s.joined, comes.s.state = false, joining
	m.round("first")
	_, comes.s.cursor = m.log.Bounds() // it reads the first from the log
	m.q.exit(leaves.s)
	leaves.s.joined = false
	m.q.join(comes.s)
	m.round("second")
	a.run()
	for c, want := range map[*client]string{stays: "first second", leaves: "", comes: "second", clients[3]: "first second"} {
		var got []string
		for line := range strings.Lines(string(c.buffer)) {
			if data, is := strings.CutPrefix(line, "data: "); is {
				got = append(got, strings.TrimSpace(data))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("a stream got %q, want %q", got, want)
		}
	}
	if got := m.stats.Deliveries(); got != 5 {
		t.Errorf("%d deliveries were counted, want 5", got)
	}
}

// What the hub asks of a stream comes after every batch that it sent before, also when batches are merged.
func TestMessagesKeepTheirPlaceAmongBatches(t *testing.T) {
	t.Parallel()
	m, clients := gathering(t, 2)
	c := clients[0]
	c.s.past.id = streamID(1)
	m.round("first")
	_, head := m.log.Bounds()
	reply := make(chan *inspection, 1)
	m.q.inquire(inquiry{streamID(1), head, reply})
	m.round("second")
	c.s.audience.run()
	if i := <-reply; i.reached != head {
		t.Errorf("asked between positions %d and %d, the stream had reached %d", head, head+1, i.reached)
	}
	for i, c := range clients {
		if got := strings.Count(string(c.buffer), "data: "); got != 2 {
			t.Errorf("stream %d got %d events, want 2", i, got)
		}
	}
	if got := m.stats.Deliveries(); got != 4 {
		t.Errorf("%d deliveries were counted, want 4", got)
	}
}

// I3: a stream that is told of its revocation before it joins writes nothing that was stored after, whichever of its mailbox and
// its audience has the first turn.
func TestInvariantI3RevocationComesBeforeTheAudience(t *testing.T) {
	t.Parallel()
	m, clients := gathering(t, 2)
	c := clients[0]
	m.q.exit(c.s)
	c.s.joined, c.s.state = false, joining
	m.q.tell(c.s, revoked{})
	m.q.join(c.s)
	m.round("after")
	c.s.audience.run()
	if len(c.buffer) > 0 || c.reason != ReasonRevoked {
		t.Errorf("the stream ended for %s and got %q", c.reason, c.buffer)
	}
}

// A member that panics ends alone: those after it get the batch, and it gets nothing more.
func TestMemberThatPanicsEndsAlone(t *testing.T) {
	t.Parallel()
	m, clients := gathering(t, 3)
	bad := clients[1]
	bad.panics = true
	var failures int
	bad.s.inbox.RegisterHandlers(&invoker{failure: func(any, any) { failures++ }}, nil)
	m.round("first")
	bad.s.audience.run()
	bad.panics = false
	m.round("second")
	bad.s.audience.run()
	for i, c := range clients {
		want := 2
		if c == bad {
			want = 0
		}
		if got := strings.Count(string(c.buffer), "data: "); got != want {
			t.Errorf("stream %d got %d events, want %d", i, got, want)
		}
	}
	if failures != 1 {
		t.Errorf("%d failures were escalated, want 1", failures)
	}
	if got := m.stats.Deliveries(); got != 4 {
		t.Errorf("%d deliveries were counted, want 4", got)
	}
}

// BenchmarkDeliver is the way of an update from the sequencer to the sockets of an audience, without the sockets.
func BenchmarkDeliver(b *testing.B) {
	w := newWorkers(1, 1, 1)
	a := newAudience("", nil, nil, w.lanes[0], 64<<10)
	for range 1024 {
		s := &Subscriber{hub: new(Hub), conn: nowhere{}, joined: true, state: live}
		s.inbox = w.newMailbox()
		a.enter(s)
	}
	frames := []byte("data: x\n\n")
	b.ReportAllocs()
	position := uint64(0)
	for b.Loop() {
		position++
		a.hand(&batch{frames: frames, marks: []mark{{position, len(frames)}}, cost: int64(len(frames))})
		a.run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/delivery")
}

// nowhere is a connection that takes everything.
type nowhere struct{}

func (nowhere) Watch(*Subscriber)           {}
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) Close() error                { return nil }
