package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"hubd/persistence"
)

// Messages that say that something is gone are kept so long. A node that has not looked for half of it looks at
// everything again.
const (
	goneTTL     = "1h"
	copyExpires = 30 * time.Minute
)

const (
	boardCount = 2048
	boardBytes = 1 << 20
)

// boards are this node's copies of the boards. Every call brings them up to the newest message of their stream. A change
// is published on condition that it is still the newest, so that changes happen one after the other, each to what the
// one before left.
type boards struct {
	// using is held, as its only element, by the call that uses the copies, while it speaks to the engine.
	using  chan struct{}
	at     uint64 // sequence of the newest message that the copies take into account
	read   time.Time
	copies map[string]*boardCopy
	names  uint64 // counts what was published
}

// board implements persistence.Board.
type board struct {
	l    *Log
	name string
}

// Board implements persistence.Shared.
func (l *Log) Board(name string) persistence.Board { return &board{l, name} }

// change is what a transaction publishes.
type change struct{ messages []*nats.Msg }

func (b *board) prefix() string { return b.l.target.stream + ".board." + b.name + "." }

func (c *change) set(subject string, data []byte) {
	c.messages = append(c.messages, &nats.Msg{Subject: subject, Data: append([]byte{markPresent}, data...)})
}

func (c *change) unset(subject string) {
	c.messages = append(c.messages, &nats.Msg{Subject: subject, Data: []byte{markGone}, Header: nats.Header{headerTTL: []string{goneTTL}}})
}

func (b *board) setTenure(c *change, t tenure) error {
	data, err := json.Marshal(&t)
	if err != nil {
		return err
	}
	c.set(b.prefix()+kindTenure+"."+t.name, data)
	return nil
}

func (b *board) entrySubject(t *tenure, key string) string {
	return b.prefix() + kindEntry + "." + t.name + "." + keyToken(key)
}

// view runs fn on the board as it is, at a moment of the engine's clock.
func (b *board) view(ctx context.Context, attempted string, fn func(c *boardCopy, now time.Time)) error {
	return b.transact(ctx, attempted, func(c *boardCopy, now time.Time, _ *change) error {
		fn(c, now)
		return nil
	})
}

// transact runs fn on the board as it is and publishes the changes that it makes. Where another node changed anything
// in the meantime, it runs again.
func (b *board) transact(ctx context.Context, attempted string, fn func(*boardCopy, time.Time, *change) error) error {
	l := b.l
	own, end, err := l.begin()
	if err != nil {
		return err
	}
	defer end()
	own, cancel := context.WithCancel(own)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	select {
	case l.boards.using <- struct{}{}:
		defer func() { <-l.boards.using }()
	case <-own.Done():
		return l.failed(attempted, own.Err())
	}
	for {
		err := b.attempt(own, fn)
		var refused *apiError
		if errors.As(err, &refused) && refused.conflict() {
			continue
		}
		return l.failed(attempted, err)
	}
}

func (b *board) attempt(ctx context.Context, fn func(*boardCopy, time.Time, *change) error) error {
	l := b.l
	now, err := l.boards.update(ctx, l)
	if err != nil {
		return err
	}
	var c change
	if err := fn(l.boards.copy(b.name), now, &c); err != nil {
		return err
	}
	for expected := l.boards.at; len(c.messages) > 0; {
		part := c.messages[:min(len(c.messages), MaxBatch)]
		l.boards.names++
		if expected, err = l.publish(ctx, part, expected, l.node+".board."+strconv.FormatUint(l.boards.names, 36)); err != nil {
			return err
		}
		c.messages = c.messages[len(part):]
	}
	return nil
}

func (b *boards) copy(name string) *boardCopy {
	c := b.copies[name]
	if c == nil {
		c = newBoardCopy()
		b.copies[name] = c
	}
	return c
}

// update brings the copies up to the newest message, and returns the time by the engine's clock.
func (b *boards) update(ctx context.Context, l *Log) (time.Time, error) {
	x, err := l.engine.info(ctx, l.boardStream())
	if err != nil {
		return time.Time{}, err
	}
	asked := time.Now()
	if b.at > x.State.LastSeq || b.at > 0 && asked.Sub(b.read) > copyExpires {
		// Nobody knows what has changed.
		b.at = 0
		for name, c := range b.copies {
			b.copies[name] = newBoardCopy()
			b.copies[name].revision = max(c.revision+1, x.State.LastSeq)
		}
	}
	for b.at < x.State.LastSeq {
		page, err := l.engine.page(ctx, l.boardStream(), b.at+1, boardCount, boardBytes)
		if err == nil && len(page) == 0 {
			// The rest is gone, or the server that answered is behind.
			var m stored
			if m, err = l.engine.get(ctx, l.boardStream(), b.at+1, ">"); errors.Is(err, errNoMessage) {
				b.at = x.State.LastSeq
				break
			}
			page = append(page, m)
		}
		if err != nil {
			return time.Time{}, err
		}
		for _, m := range page {
			b.at = m.Sequence
			rest, ok := strings.CutPrefix(m.Subject, l.target.stream+".board.")
			name, rest, _ := strings.Cut(rest, ".")
			kind, rest, _ := strings.Cut(rest, ".")
			if ok {
				b.copy(name).apply(kind, rest, m)
			}
		}
	}
	b.read = asked
	return x.Time, nil
}

// Put implements persistence.Board. More than MaxBatch entries are stored in several steps.
func (b *board) Put(ctx context.Context, holder string, entries []persistence.Entry) error {
	return b.transact(ctx, "put on a board in", func(c *boardCopy, _ time.Time, change *change) error {
		latest := map[string][]byte{}
		for _, e := range entries {
			latest[e.Key] = e.Value
		}
		if len(latest) == 0 {
			return nil
		}
		t := c.current(holder)
		if t == nil {
			t = &tenure{Holder: holder, Owner: holder, name: nuid.Next()}
			if err := b.setTenure(change, *t); err != nil {
				return err
			}
		}
		for key, value := range latest {
			change.set(b.entrySubject(t, key), value)
		}
		for _, other := range c.owned(holder) {
			for key := range latest {
				if _, ok := other.entries[key]; ok && other != t {
					change.unset(b.entrySubject(other, key))
				}
			}
		}
		return nil
	})
}

// Delete implements persistence.Board.
func (b *board) Delete(ctx context.Context, holder string, keys []string) error {
	return b.transact(ctx, "delete from a board in", func(c *boardCopy, _ time.Time, change *change) error {
		gone := map[string]bool{}
		for _, t := range c.owned(holder) {
			for _, key := range keys {
				subject := b.entrySubject(t, key)
				if _, ok := t.entries[key]; ok && !gone[subject] {
					gone[subject] = true
					change.unset(subject)
				}
			}
		}
		return nil
	})
}

// List implements persistence.Board.
func (b *board) List(ctx context.Context) (all []persistence.Entry, err error) {
	err = b.view(ctx, "list a board in", func(c *boardCopy, _ time.Time) { all = c.list() })
	return all, err
}

// Revision implements persistence.Board.
func (b *board) Revision(ctx context.Context) (revision uint64, err error) {
	err = b.view(ctx, "look at a board in", func(c *boardCopy, _ time.Time) { revision = c.revision })
	return revision, err
}

// Renew implements persistence.Board.
func (b *board) Renew(ctx context.Context, holder string, milliseconds int64) (held bool, err error) {
	err = b.transact(ctx, "renew a lease in", func(c *boardCopy, _ time.Time, change *change) error {
		t := c.current(holder)
		if held = t != nil && t.Milliseconds > 0; t == nil {
			t = &tenure{Holder: holder, Owner: holder, name: nuid.Next()}
		}
		renewed := *t
		renewed.Milliseconds = max(milliseconds, 1)
		return b.setTenure(change, renewed)
	})
	return held, err
}

// Adopt implements persistence.Board.
func (b *board) Adopt(ctx context.Context, heir string) (adopted []persistence.Entry, err error) {
	err = b.transact(ctx, "adopt on a board in", func(c *boardCopy, now time.Time, change *change) error {
		ended := map[string]bool{}
		for _, t := range c.tenures {
			if t.Milliseconds > 0 && t.Owner != heir && !now.Before(t.until) {
				ended[t.Owner] = true
			}
		}
		adopted = nil
		for _, e := range c.list() {
			if ended[e.Holder] {
				adopted = append(adopted, e)
			}
		}
		for holder := range ended {
			for _, t := range c.owned(holder) {
				if len(t.entries) == 0 {
					change.unset(b.prefix() + kindTenure + "." + t.name)
					continue
				}
				if err := b.setTenure(change, tenure{Holder: t.Holder, Owner: heir, Adopted: true, name: t.name}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return adopted, err
}

// Drop implements persistence.Board.
func (b *board) Drop(ctx context.Context, holder string) error {
	var dropped []*tenure
	err := b.transact(ctx, "drop a holder from a board in", func(c *boardCopy, _ time.Time, change *change) error {
		dropped = c.owned(holder)
		for _, t := range dropped {
			change.unset(b.prefix() + kindTenure + "." + t.name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.sweep(dropped)
}

// sweep removes what is left in the stream of tenures that are over. Nobody sees it any more.
func (b *board) sweep(dropped []*tenure) error {
	ctx, end, err := b.l.begin()
	if err != nil {
		return err
	}
	defer end()
	for _, t := range dropped {
		if len(t.entries) == 0 {
			continue
		}
		if err := b.l.engine.purge(ctx, b.l.boardStream(), 0, b.prefix()+kindEntry+"."+t.name+".>"); err != nil {
			return b.l.failed("drop a holder from a board in", err)
		}
	}
	return nil
}
