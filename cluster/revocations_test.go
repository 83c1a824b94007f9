package cluster

import (
	"errors"
	"slices"
	"testing"
	"time"

	"hubd/auth"
	"hubd/persistence"
	"hubd/persistence/sharedtest"
)

// refusing is revocations with what they do at their node.
type refusing struct {
	*Revocations
	log     *sharedtest.Node
	refused []auth.Revocation
	ended   [][]string
	full    bool
}

func (s *site) revocations(name string) *refusing {
	s.Helper()
	r := &refusing{log: s.open()}
	var err error
	r.Revocations, err = NewRevocations(RevocationsOptions{
		Log: r.log, Node: name, Max: 3, Now: s.clock.read,
		Refuse: func(one auth.Revocation) error {
			if r.full {
				return auth.ErrRevocationsFull
			}
			r.refused = append(r.refused, one)
			return nil
		},
		End: func(topics []string) error {
			r.ended = append(r.ended, topics)
			return nil
		},
	})
	if err != nil {
		s.Fatal(err)
	}
	s.look(r, true)
	s.Cleanup(r.Stop)
	return r
}

func (s *site) look(r *refusing, first bool) {
	s.Helper()
	if err := r.look(first); err != nil {
		s.Fatal(err)
	}
}

// take returns what was refused since the last time, as "kind value", and the topics whose streams were ended.
func (r *refusing) take() (refused, topics []string) {
	for _, one := range r.refused {
		for _, id := range one.IDs {
			refused = append(refused, "jti "+id)
		}
		for _, subject := range one.Subjects {
			refused = append(refused, "sub "+subject)
		}
	}
	for _, ended := range r.ended {
		topics = append(topics, ended...)
	}
	r.refused, r.ended = nil, nil
	slices.Sort(refused)
	return refused, topics
}

func (s *site) wantRefused(r *refusing, want ...string) {
	s.Helper()
	streams := len(r.ended)
	got, topics := r.take()
	if !slices.Equal(got, want) || len(topics) > 0 {
		s.Errorf("refused are %q and topics %q, want %q", got, topics, want)
	}
	if len(want) > 0 && streams != 1 {
		s.Errorf("streams were ended %d times", streams)
	}
}

func TestRevocationsReachEveryNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.revocations("a"), s.revocations("b")
	until, before := s.clock.read().Add(time.Hour), s.clock.read()
	one := auth.Revocation{IDs: []string{"1"}, Subjects: []string{"x"}, Issuer: "i", Until: until, IssuedBefore: before}
	if err := a.Revoke(one); err != nil {
		t.Fatal(err)
	}
	if refused, _ := a.take(); !slices.Equal(refused, []string{"jti 1", "sub x"}) {
		t.Errorf("at the node itself %q is refused", refused)
	}
	s.look(b, false)
	for _, got := range b.refused {
		if got.Issuer != "i" || !got.Until.Equal(until) || !got.IssuedBefore.Equal(before) {
			t.Errorf("%+v is refused, want what was revoked", got)
		}
	}
	s.wantRefused(b, "jti 1", "sub x")
	s.look(b, false)
	s.wantRefused(b) // once
	s.look(a, false)
	s.wantRefused(a)

	// One that starts later knows before it serves.
	c := s.revocations("c")
	if refused, _ := c.take(); !slices.Equal(refused, []string{"jti 1", "sub x"}) {
		t.Errorf("a node that starts later refuses %q", refused)
	}
}

// Streams that follow a topic end on every node, once; those of a node that starts later began later.
func TestRevocationsOfTopics(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.revocations("a"), s.revocations("b")
	for range 2 {
		if err := a.RevokeTopics([]string{"https://example.com/x"}); err != nil {
			t.Fatal(err)
		}
		s.look(a, false)
		if _, topics := a.take(); len(topics) > 0 {
			t.Errorf("at the node itself the streams of %q are ended again", topics)
		}
		s.look(b, false)
		s.look(b, false)
		if _, topics := b.take(); !slices.Equal(topics, []string{"https://example.com/x"}) {
			t.Errorf("elsewhere the streams of %q are ended", topics)
		}
	}
	c := s.revocations("c")
	s.look(c, false)
	if _, topics := c.take(); len(topics) > 0 {
		t.Errorf("a node that starts later ends the streams of %q", topics)
	}
	if err := a.RevokeTopics([]string{"1", "2"}); !errors.Is(err, auth.ErrRevocationsFull) {
		t.Errorf("more than the bound: %v", err)
	}
}

func TestRevocationsWithoutTheEngine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.revocations("a"), s.revocations("b")
	a.log.Cut(true)
	one := auth.Revocation{IDs: []string{"1"}, Until: s.clock.read().Add(time.Hour)}
	if err := a.Revoke(one); !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("revoking: %v", err)
	}
	if refused, _ := a.take(); !slices.Equal(refused, []string{"jti 1"}) {
		t.Errorf("%q is refused, want it to hold here all the same", refused)
	}
	if err := a.RevokeTopics([]string{"x"}); !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("revoking a topic: %v", err)
	}
	a.log.Cut(false)
	if err := a.Revoke(one); err != nil {
		t.Fatal(err)
	}
	s.look(b, false)
	s.wantRefused(b, "jti 1")
}

// What there is no room for is not put on the board either.
func TestRevocationsWithoutRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.revocations("a"), s.revocations("b")
	a.full = true
	if err := a.Revoke(auth.Revocation{IDs: []string{"1"}, Until: s.clock.read().Add(time.Hour)}); !errors.Is(err, auth.ErrRevocationsFull) {
		t.Errorf("revoking: %v", err)
	}
	s.look(b, false)
	s.wantRefused(b)
}

// One that is repeated with less does not let in what the first keeps out, wherever it is repeated.
func TestRevocationsAreMerged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.revocations("a")
	long, short := s.clock.read().Add(10*time.Hour), s.clock.read().Add(time.Hour)
	for _, one := range []auth.Revocation{
		{Subjects: []string{"x"}, Until: long, IssuedBefore: s.clock.read()},
		{Subjects: []string{"x"}, Until: short},
	} {
		if err := a.Revoke(one); err != nil {
			t.Fatal(err)
		}
	}
	b := s.revocations("b")
	if len(b.refused) != 1 || !b.refused[0].Until.Equal(long) || !b.refused[0].IssuedBefore.IsZero() {
		t.Errorf("elsewhere is refused %+v", b.refused)
	}
}

func TestRevocationsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.revocations("a"), s.revocations("b")
	if err := a.Revoke(auth.Revocation{IDs: []string{"1"}, Until: s.clock.read().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	left := func() int {
		entries, err := a.board.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	a.Stop()
	s.look(b, false)
	s.clock.pass(time.Hour + time.Second)
	s.look(b, false)
	if left() != 1 {
		t.Error("a revocation left the board while it may hold at a node whose clock is late")
	}
	s.clock.pass(2 * skew)
	s.look(b, false)
	if left() != 0 || len(b.known) != 0 {
		t.Error("a revocation that has ended stays, although its node is gone")
	}
}

func TestRevocationsStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	log := s.open()
	if _, err := NewRevocations(RevocationsOptions{Log: log}); err == nil {
		t.Error("revocations without effect were made")
	}
	ended := make(chan struct{}, 1)
	r, err := NewRevocations(RevocationsOptions{
		Log: log, Node: "a", Interval: time.Millisecond, Now: s.clock.read, Refuse: func(auth.Revocation) error { return nil },
		End: func([]string) error {
			ended <- struct{}{}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	log.Cut(true)
	if err := r.Start(); !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("start: %v", err)
	}
	log.Cut(false)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	other := s.revocations("b")
	if err := other.RevokeTopics([]string{"x"}); err != nil {
		t.Fatal(err)
	}
	<-ended
}
