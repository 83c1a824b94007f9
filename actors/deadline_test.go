package actors

import (
	"strings"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// newTimed returns one subscriber to everything whose deadlines are driven by hand.
func newTimed(t *testing.T, room int) (*timed, *client) {
	t.Helper()
	m := &timed{simulation: newSimulation(t, 1, persistence.Retention{})}
	c := &client{room: room}
	all, err := m.space.NewSet([]mercure.Matcher{{Pattern: mercure.Wildcard}})
	if err != nil {
		t.Fatal(err)
	}
	c.s = &Subscriber{hub: m, conn: c, want: all, grants: all, member: -1, prelude: []byte(simPrelude)}
	m.clients = append(m.clients, c)
	return m, c
}

// timed is the simulation with limits and a record of what the wheel was asked.
type timed struct {
	*simulation
	armed time.Time
}

func (m *timed) arm(_ *deadline, at time.Time) { m.armed = at }
func (m *timed) disarm(*deadline)              { m.armed = time.Time{} }
func (m *timed) limits() *limits {
	return &limits{heartbeat: 15 * time.Second, dispatch: 5 * time.Second}
}

// pass moves the clock to the armed deadline and serves it.
func (m *timed) pass(c *client) {
	m.clock = m.armed
	m.toSubscriber(c.s, tick{})
	m.settle()
}

func begun(t *testing.T, room int) (*timed, *client) {
	m, c := newTimed(t, room)
	m.employ(c.s, true)
	m.settle()
	return m, c
}

func TestSilentStreamGetsHeartbeats(t *testing.T) {
	t.Parallel()
	m, c := begun(t, 1000)
	for i := 1; i <= 3; i++ {
		m.pass(c)
		if got := strings.Count(string(c.received), heartbeat); got != i {
			t.Fatalf("after %s the stream has %d heartbeats, want %d", 15*time.Duration(i)*time.Second, got, i)
		}
	}
	// A write puts the next one off.
	m.clock = m.clock.Add(10 * time.Second)
	c.s.wrote(m.clock)
	m.pass(c)
	if got := strings.Count(string(c.received), heartbeat); got != 3 {
		t.Fatalf("heartbeat %d came 5 s after a write", got)
	}
}

func TestStalledStreamEnds(t *testing.T) {
	t.Parallel()
	m, c := begun(t, 1000)
	c.room = 0 // the client reads nothing any more
	for range 40 {
		m.publish()
	}
	for m.stepHub() {
		for m.stepTurn() {
		}
	}
	stalled := m.clock
	for m.armed.Sub(stalled) < 5*time.Second {
		m.clock = m.armed
		m.toSubscriber(c.s, tick{})
		m.stepTurn()
	}
	m.pass(c)
	if !c.closed || c.reason != ReasonStalled {
		t.Fatalf("stream is closed: %v, for %s", c.closed, c.reason)
	}
	if c.s.queued.load() != 0 || m.stats.QueuedBytes() != 0 {
		t.Fatal("an ended stream still counts queued bytes")
	}
}

func TestTokenEndsStreamOnTime(t *testing.T) {
	t.Parallel()
	m, c := newTimed(t, 1000)
	c.s.expires = m.clock.Add(3 * time.Second)
	m.employ(c.s, true)
	m.settle()
	if !m.armed.Equal(c.s.expires) {
		t.Fatalf("stream is woken at %s, its token ends at %s", m.armed, c.s.expires)
	}
	m.pass(c)
	if !c.closed || c.reason != ReasonExpired {
		t.Fatalf("stream is closed: %v, for %s", c.closed, c.reason)
	}
}

func TestLifetimeEndsStream(t *testing.T) {
	t.Parallel()
	m, c := newTimed(t, 1000)
	c.s.lifetime = m.clock.Add(time.Second)
	m.employ(c.s, true)
	m.settle()
	m.pass(c)
	if !c.closed || c.reason != ReasonLifetime {
		t.Fatalf("stream is closed: %v, for %s", c.closed, c.reason)
	}
}

// "Ending" of DESIGN: the hub tells the client when to come back, and not all at once.
func TestDrainTellsWhenToComeBack(t *testing.T) {
	t.Parallel()
	m, c := begun(t, 1000)
	m.q.drain(m.clock, 10*time.Second)
	m.settle()
	if want := m.clock.Add(10 * time.Second); !m.armed.Equal(want) {
		t.Fatalf("stream ends at %s, want %s", m.armed, want)
	}
	m.pass(c)
	rest := string(c.received) + string(c.buffer)
	if !c.closed || c.reason != ReasonShutdown || !strings.Contains(rest, "retry: ") {
		t.Fatalf("stream is closed: %v, for %s, after %q", c.closed, c.reason, rest)
	}
	// One that comes while the hub drains ends with the others.
	late := &client{room: 1000}
	late.s = &Subscriber{hub: m, conn: late, want: m.set(), member: -1, prelude: []byte(simPrelude)}
	m.clients = append(m.clients, late)
	m.employ(late.s, true)
	m.settle()
	if !late.s.draining {
		t.Fatal("a late stream is not told of the drain")
	}
}

// A cursor that falls out of the history while it is read ends the stream instead of passing the gap.
func TestCursorThatFallsBehindEndsStream(t *testing.T) {
	t.Parallel()
	m := newSimulation(t, 1, persistence.Retention{MaxEvents: 5})
	for range 3 {
		m.publish()
	}
	_, head := m.log.Bounds()
	c := &client{room: 10000, cursor: &Cursor{Position: head, Known: true}}
	c.s = &Subscriber{hub: m, conn: c, want: m.set(), member: -1, cursor: head, anchored: true}
	m.clients = append(m.clients, c)
	m.employ(c.s, false)
	for range 20 {
		m.publish()
	}
	m.settle()
	if !c.closed || c.reason != ReasonBehind {
		t.Fatalf("stream is closed: %v, for %s", c.closed, c.reason)
	}
	// One that asked for the beginning gets what is left.
	before, _ := m.log.Bounds()
	c = &client{room: 10000, cursor: &Cursor{}, opened: 1 << 62}
	c.s = &Subscriber{hub: m, conn: c, want: m.set(), member: -1, prelude: []byte(simPrelude)}
	m.clients = append(m.clients, c)
	m.employ(c.s, false)
	m.settle()
	if c.closed || c.s.state != live || c.s.cursor < before {
		t.Fatalf("stream is closed: %v, for %s, at %d", c.closed, c.reason, c.s.cursor)
	}
}
