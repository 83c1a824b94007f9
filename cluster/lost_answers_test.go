package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hubd/persistence"
)

// deaf is a board whose answers to some calls get lost: what was asked for is done.
type deaf struct {
	persistence.Board
	renew, adopt bool
}

var errLost = fmt.Errorf("%w: no answer", persistence.ErrUnavailable)

// Renew implements persistence.Board.
func (d *deaf) Renew(ctx context.Context, holder string, milliseconds int64) (bool, error) {
	held, err := d.Board.Renew(ctx, holder, milliseconds)
	if d.renew {
		return false, errLost
	}
	return held, err
}

// Adopt implements persistence.Board.
func (d *deaf) Adopt(ctx context.Context, heir string) ([]persistence.Entry, error) {
	adopted, err := d.Board.Adopt(ctx, heir)
	if d.adopt {
		return nil, errLost
	}
	return adopted, err
}

func (s *site) deafen(p *present) *deaf {
	d := &deaf{Board: p.board}
	p.board = d
	return d
}

// A node whose lease ended, and that was not told so since the answer to its renewal got lost, announces its subscriptions anew.
func TestRenewalWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	d := s.deafen(a)
	s.announce(a, subscription(1, true))
	s.clock.pass(2 * time.Hour)
	s.tick(b)
	s.wantOthers(b)
	d.renew = true
	if err := a.tick(); err == nil {
		t.Fatal("a renewal without an answer is no error")
	}
	d.renew = false
	s.tick(a)
	s.wantOthers(b, 1)
	s.wantEvents(1, "+-+")
}

// What a node inherited is announced, although it was not told so since the answer got lost.
func TestInheritanceWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	s.announce(a, subscription(1, true))
	s.die(a)
	d := s.deafen(b)
	d.adopt = true
	if err := b.tick(); err == nil {
		t.Fatal("an adoption without an answer is no error")
	}
	d.adopt = false
	s.tick(b)
	s.wantEvents(1, "+-")
	s.wantBoard(b, 0)
}

// Answers that were lost to a node whose lease holds have it announce nothing.
func TestLostAnswersOfOneThatHolds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, b := s.presence("a"), s.presence("b")
	d := s.deafen(a)
	s.announce(a, subscription(1, true))
	d.renew = true
	_ = a.tick()
	*d = deaf{Board: d.Board, adopt: true}
	_ = a.tick()
	*d = deaf{Board: d.Board}
	s.tick(a)
	s.wantOthers(b, 1)
	s.wantEvents(1, "+")
}

// wantBoard demands that the board has so many entries.
func (s *site) wantBoard(p *present, n int) {
	s.Helper()
	all, err := p.board.List(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if len(all) != n {
		s.Errorf("the board has %d entries, want %d", len(all), n)
	}
}
