package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/sharedtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hubPath = "/.well-known/mercure"

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// site is an engine, its clock and the nodes on it.
type site struct {
	*testing.T
	clock  *clock
	engine *sharedtest.Engine
}

func newSite(t *testing.T) *site {
	t.Helper()
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	engine, err := sharedtest.NewEngine(c.read)
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, c, engine}
}

func (s *site) open() *sharedtest.Node {
	s.Helper()
	log, err := s.engine.Open(sharedtest.Options{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = log.Close() })
	return log
}

// direct appends to a log without a persistence actor, and can refuse to.
type direct struct {
	log   persistence.Log
	mu    sync.Mutex
	fails bool
}

func (d *direct) set(fails bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = fails
}

// AppendAll implements Appender.
func (d *direct) AppendAll(events []*mercure.Event) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails {
		return 0, persistence.ErrFailed
	}
	if len(events) == 0 {
		return 0, nil
	}
	if _, err := d.log.Append(events); err != nil {
		return 0, err
	}
	return len(events), nil
}

// present is a presence with what it stands on. Its ticks are the test's.
type present struct {
	*Presence
	log   *sharedtest.Node
	store *direct
}

func (s *site) presence(name string) *present {
	s.Helper()
	log := s.open()
	p := &present{log: log, store: &direct{log: log}}
	var err error
	p.Presence, err = NewPresence(PresenceOptions{Log: log, Store: p.store, Node: name, Lease: time.Hour, HubPath: hubPath})
	if err != nil {
		s.Fatal(err)
	}
	s.tick(p)
	s.Cleanup(p.Stop)
	return p
}

func (s *site) tick(p *present) {
	s.Helper()
	if err := p.tick(); err != nil {
		s.Fatal(err)
	}
}

// die lets the node vanish without a word.
func (s *site) die(p *present) {
	p.log.Cut(true)
	s.clock.pass(2 * time.Hour)
}

func subscription(n int, active bool) mercure.Subscription {
	return mercure.Subscription{
		Matcher:    mercure.Matcher{Type: mercure.MatcherType(n % 3), Pattern: fmt.Sprint("https://example.com/", n)},
		Subscriber: fmt.Sprint("urn:uuid:", n), Active: active, Payload: json.RawMessage(fmt.Sprint(n)),
	}
}

func (s *site) announce(p *present, subscriptions ...mercure.Subscription) {
	s.Helper()
	if err := p.Announcing(subscriptions); err != nil {
		s.Fatal(err)
	}
	var events []*mercure.Event
	for i := range subscriptions {
		events = append(events, mercure.NewEvent(subscriptions[i].Update(hubPath)))
	}
	if _, err := p.store.AppendAll(events); err != nil {
		s.Fatal(err)
	}
	p.Announced(subscriptions)
}

// wantOthers demands that the node lists these subscriptions of others.
func (s *site) wantOthers(p *present, numbers ...int) {
	s.Helper()
	all, err := p.Others()
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	for i := range all {
		got = append(got, string(all[i].Document(hubPath, true, "")))
	}
	var want []string
	for _, n := range numbers {
		one := subscription(n, true)
		want = append(want, string(one.Document(hubPath, true, "")))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Fatalf("listed are %q, want %q", got, want)
	}
}

// events returns what was said of the subscription, "+" for active and "-" for its end.
func (s *site) events(n int) string {
	s.Helper()
	log := s.open()
	page, err := log.Read(0, 1<<30)
	if err != nil {
		s.Fatal(err)
	}
	one := subscription(n, true)
	var b strings.Builder
	for _, e := range page {
		switch {
		case !slices.Contains(e.Topics, one.Topic(hubPath)):
		case !e.Private:
			s.Errorf("an event about a subscription is public: %s", e.Frame())
		case bytes.Contains(e.Frame(), []byte(`"active":true`)):
			b.WriteByte('+')
		default:
			b.WriteByte('-')
		}
	}
	return b.String()
}

func (s *site) wantEvents(n int, want string) {
	s.Helper()
	if got := s.events(n); got != want {
		s.Errorf("events about subscription %d are %q, want %q", n, got, want)
	}
}

func TestPresenceListsTheSubscriptionsOfOtherNodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, c := s.presence("a"), s.presence("b"), s.presence("b") // two of one name are two all the same
	s.announce(a, subscription(1, true), subscription(2, true))
	s.announce(b, subscription(3, true))
	s.wantOthers(a, 3)
	s.wantOthers(b, 1, 2)
	s.wantOthers(c, 1, 2, 3)
	all, _ := c.Others()
	clear(all) // who asks may do with the list what it likes
	s.wantOthers(c, 1, 2, 3)
	s.announce(a, subscription(1, false))
	s.wantOthers(c, 2, 3)
	s.wantOthers(a, 3)
}

// Whoever reads the end of a subscription does not find it in the list afterwards, and whoever dies in between does
// not leave it there for ever.
func TestPresenceTakesASubscriptionOffBeforeItsEndIsStored(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	s.announce(a, subscription(1, true), subscription(2, true))
	if err := a.Announcing([]mercure.Subscription{subscription(1, false)}); err != nil {
		t.Fatal(err)
	}
	s.wantOthers(b, 2)
	s.die(a)
	s.tick(b)
	s.wantEvents(1, "+-")
	s.wantEvents(2, "+-")
	s.wantOthers(s.presence("c"))
}

// A subscription is on the board before the event that says so: a node that dies in between leaves nothing behind that
// nobody takes off.
func TestPresencePutsASubscriptionOnBeforeItIsAnnounced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	if err := a.Announcing([]mercure.Subscription{subscription(1, true)}); err != nil {
		t.Fatal(err)
	}
	s.wantOthers(b, 1)
	s.die(a)
	s.tick(b)
	s.wantEvents(1, "-")
}

func TestPresenceOfADeadNodeIsTakenOffOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, c := s.presence("a"), s.presence("b"), s.presence("c")
	s.announce(a, subscription(1, true))
	a.log.Cut(true)
	s.tick(b)
	s.wantOthers(b, 1)
	s.wantEvents(1, "+")
	s.clock.pass(2 * time.Hour)
	s.tick(b)
	s.tick(c)
	s.tick(b)
	s.wantEvents(1, "+-")
	s.wantOthers(c)
	entries, err := b.board.List(t.Context())
	if err != nil || len(entries) > 0 {
		t.Errorf("%d entries are left, %v", len(entries), err)
	}
}

// The end is not forgotten while the store refuses it, nor when the heir dies as well; what nobody follows any more
// is not listed meanwhile.
func TestPresenceNeverForgetsAnEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, c := s.presence("a"), s.presence("b"), s.presence("c")
	s.announce(a, subscription(1, true))
	s.die(a)
	b.store.set(true)
	if err := b.tick(); !errors.Is(err, persistence.ErrFailed) {
		t.Fatalf("tick: %v", err)
	}
	s.wantOthers(c)
	s.die(b)
	s.tick(c)
	s.wantEvents(1, "+-")

	d, e := s.presence("d"), s.presence("e")
	s.announce(d, subscription(2, true))
	s.die(d)
	e.store.set(true)
	_ = e.tick()
	e.store.set(false)
	s.tick(e)
	s.wantEvents(2, "+-")
}

// A node whose lease ended although it lives says so: after whoever announced its end.
func TestPresenceOfANodeThatComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, c := s.presence("a"), s.presence("b"), s.presence("c")
	s.announce(a, subscription(1, true))
	s.die(a)
	b.store.set(true)
	_ = b.tick() // it has the entry, and is slow
	a.log.Cut(false)
	s.tick(a)
	s.wantOthers(c, 1)
	s.wantEvents(1, "+")
	b.store.set(false)
	s.tick(b)
	s.wantEvents(1, "+-")
	s.tick(a)
	s.wantEvents(1, "+-+")
	s.tick(a)
	s.wantEvents(1, "+-+")
	s.wantOthers(c, 1)
}

// A node that inherits from its own heir does not bury itself.
func TestPresenceOfANodeWhoseHeirDied(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, c := s.presence("a"), s.presence("b"), s.presence("c")
	s.announce(a, subscription(1, true))
	s.die(a)
	b.store.set(true)
	_ = b.tick()
	s.die(b)
	a.log.Cut(false)
	s.tick(a)
	s.tick(a)
	s.wantOthers(c, 1)
	if got := s.events(1); !strings.HasSuffix(got, "+") {
		t.Errorf("events are %q, want the last to say that it is active", got)
	}
}

func TestPresenceOfANodeThatStops(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	s.announce(a, subscription(1, true))
	a.Stop() // the end was not announced: another does
	s.wantOthers(b, 1)
	s.clock.pass(2 * time.Hour)
	s.tick(b)
	s.wantEvents(1, "+-")

	c := s.presence("c")
	s.announce(c, subscription(2, true))
	s.announce(c, subscription(2, false))
	c.Stop()
	c.Stop()
	if held, err := b.board.Renew(t.Context(), c.holder, 1); err != nil || held {
		t.Errorf("a node that stopped has its lease: %t, %v", held, err)
	}
	s.wantEvents(2, "+-")
}

func TestPresenceWithoutTheEngine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	s.announce(a, subscription(1, true), subscription(2, true))
	a.log.Cut(true)
	if _, err := a.Others(); !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("others: %v", err)
	}
	if err := a.Announcing([]mercure.Subscription{subscription(3, true)}); !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("announcing: %v", err)
	}
	a.Announced([]mercure.Subscription{subscription(2, false)}) // the engine went away after the event was stored
	a.log.Cut(false)
	s.tick(a)
	s.wantOthers(b, 1)
}

// Ten thousand subscriptions are a few calls, not ten thousand.
func TestPresenceBatches(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.presence("a")
	counted := &countingBoard{Board: a.board}
	a.board = counted
	var all []mercure.Subscription
	for n := range 10_000 {
		all = append(all, subscription(n, true))
	}
	for batch := range slices.Chunk(all, 256) {
		s.announce(a, batch...)
	}
	s.tick(a)
	if counted.calls > 100 {
		t.Errorf("%d calls of the board for %d subscriptions", counted.calls, len(all))
	}
	b := s.presence("b")
	others, err := b.Others()
	if err != nil || len(others) != len(all) {
		t.Errorf("%d are listed, %v", len(others), err)
	}
}

func TestPresenceLeavesOutWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	large := subscription(1, true)
	large.Matcher.Pattern = strings.Repeat("x", maxValue)
	s.announce(a, large, subscription(2, true))
	s.wantOthers(b, 2)
}

// A board that other versions write to is read as far as it can be.
func TestPresencePassesOverWhatItCannotRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	s.announce(a, subscription(1, true))
	if err := a.board.Put(t.Context(), a.holder, []persistence.Entry{{Key: "x", Value: []byte("{")}, {Key: "y", Value: []byte(`{"type":"regexp"}`)}}); err != nil {
		t.Fatal(err)
	}
	s.wantOthers(b, 1)
	s.die(a)
	s.tick(b)
	s.wantOthers(b)
	s.wantEvents(1, "+-")
}

func TestPresenceStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	log := s.open()
	if _, err := NewPresence(PresenceOptions{Log: log}); err == nil {
		t.Error("a presence without a store was made")
	}
	p, err := NewPresence(PresenceOptions{Log: log, Store: &direct{log: log}, Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	log.Cut(true)
	if err := p.Start(); !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("start: %v", err)
	}
	log.Cut(false)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.Stop()
}

// countingBoard counts the calls of a board.
type countingBoard struct {
	persistence.Board
	calls int
}

// Put implements persistence.Board.
func (b *countingBoard) Put(ctx context.Context, holder string, entries []persistence.Entry) error {
	b.calls++
	return b.Board.Put(ctx, holder, entries)
}

// Renew implements persistence.Board.
func (b *countingBoard) Renew(ctx context.Context, holder string, milliseconds int64) (bool, error) {
	b.calls++
	return b.Board.Renew(ctx, holder, milliseconds)
}
