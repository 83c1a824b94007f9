package cluster

import (
	"runtime"
	"testing"
	"time"

	"hubd/mercure"
)

// slow is a store whose next append waits until it is let go, while all others know of nothing.
type slow struct {
	*direct
	begun, free chan struct{}
}

// AppendAll implements Appender.
func (s *slow) AppendAll(events []*mercure.Event) (int, error) {
	close(s.begun)
	<-s.free
	return s.direct.AppendAll(events)
}

// buryLate has the heir of a node come too late: it begins to announce the ends of what it inherited, its own lease ends,
// another buries the dead, and the node is back and has said so before the first heir's events are stored.
func (s *site) buryLate(owner, heir, other *present, meanwhile func()) {
	s.Helper()
	late := &slow{heir.store, make(chan struct{}), make(chan struct{})}
	heir.o.Store = late
	s.clock.pass(2 * time.Hour)
	done := make(chan error)
	go func() { done <- heir.tick() }()
	<-late.begun
	s.clock.pass(2 * time.Hour)
	s.tick(other)
	s.tick(owner)
	meanwhile()
	close(late.free)
	if err := <-done; err != nil {
		s.Fatal(err)
	}
	heir.o.Store = heir.store
	s.hear(owner)
}

// hear has the node see what the others stored.
func (s *site) hear(p *present) {
	s.Helper()
	if err := p.log.Refresh(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// A node of whose living subscriptions another says that they ended, too late, has the last word.
func TestPresenceOfANodeWithALateHeir(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, c := s.presence("a"), s.presence("b"), s.presence("c")
	s.announce(a, subscription(1, true), subscription(2, true))
	s.buryLate(a, b, c, func() {})
	s.wantEvents(1, "+-+-")
	s.tick(a)
	s.wantEvents(1, "+-+-+")
	s.wantEvents(2, "+-+-+")
	s.tick(a) // once is enough
	s.wantEvents(1, "+-+-+")
	s.wantOthers(c, 1, 2)
}

// What has ended meanwhile, or is about to, stays ended.
func TestPresenceLeavesALateEndThatIsTrue(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b, c := s.presence("a"), s.presence("b"), s.presence("c")
	s.announce(a, subscription(1, true), subscription(2, true))
	s.buryLate(a, b, c, func() {
		s.announce(a, subscription(1, false))
		if err := a.Announcing([]mercure.Subscription{subscription(2, false)}); err != nil {
			t.Fatal(err)
		}
	})
	s.tick(a)
	s.wantEvents(1, "+-+--")
	s.wantEvents(2, "+-+-")
	s.wantOthers(c)
	a.Announced([]mercure.Subscription{subscription(2, false)})
	if n := len(a.ends.said); n > 0 {
		t.Errorf("%d subscriptions are watched after they ended", n)
	}
}

// A node that does not know yet that its lease ended says once that its subscriptions live, and only when no heir is
// about to say the opposite.
func TestPresenceContradictsOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	s.announce(a, subscription(1, true))
	s.clock.pass(2 * time.Hour)
	s.tick(b)
	s.hear(a)
	s.tick(a)
	s.tick(a)
	s.wantEvents(1, "+-+")
}

// A payload that speaks of an end is none.
func TestPresenceIsNotMisledByAPayload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.presence("a")
	one := subscription(1, true)
	one.Payload = []byte(`{"active":false}`)
	s.announce(a, one)
	s.tick(a)
	s.wantEvents(1, "+")
}

// The events are read when they come, not all at once with the next renewal.
func TestPresenceFollowsTheLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	log := s.open()
	p, err := NewPresence(PresenceOptions{Log: log, Store: &direct{log: log}, Node: "a", Lease: time.Hour, HubPath: hubPath})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	one := subscription(1, true)
	if err := p.Announcing([]mercure.Subscription{one}); err != nil {
		t.Fatal(err)
	}
	one.Active = false
	store := &direct{log: s.open()}
	if _, err := store.AppendAll([]*mercure.Event{mercure.NewEvent(one.Update(hubPath))}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(p.ends.ended()) == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("what another node said is not heard")
		}
	}
}
