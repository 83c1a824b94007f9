package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"hubd/mercure"
	"hubd/persistence"
)

// awaitTime is the longest that a node listens before it looks whether the server still answers.
const awaitTime = 2 * time.Second

// fillEvents is how many lost positions are filled at once.
const fillEvents = 1000

// source is the database as the follower sees it.
type source struct {
	log *Log
	// listener is the session that listens; nil while there is none. Only Await uses it, and close after the follower.
	listener *session
}

// Await implements persistence.Source.
func (s *source) Await(ctx context.Context, after uint64) error {
	if s.listener == nil {
		return s.listen(ctx) // what was notified before is to be looked for
	}
	until, cancel := context.WithTimeout(ctx, s.log.o.await)
	defer cancel()
	for {
		n, err := s.listener.WaitForNotification(until)
		switch {
		case err != nil && (ctx.Err() != nil || until.Err() == nil || s.listener.IsClosed()):
			s.close()
			return classify(fmt.Errorf("listening to %s: %w", s.log.place, err))
		case err != nil:
			return nil // nothing came; Fetch shows whether the server still answers
		case n.PID == s.log.pid.Load() && !s.log.doubt.Load():
			continue // Append publishes what it appends
		}
		// Several may have been waiting here since the last one was looked at.
		if head, err := strconv.ParseUint(n.Payload, 10, 64); err == nil && head <= s.log.feed.Extent().Head {
			continue
		}
		return nil
	}
}

// listen opens the session that listens.
func (s *source) listen(ctx context.Context) error {
	ctx, cancel := within(ctx, s.log.o.Timeout)
	defer cancel()
	listener, err := s.log.connect(ctx)
	if err != nil {
		return fmt.Errorf("listening to %s: %w", s.log.place, err)
	}
	if _, err := listener.Exec(ctx, "LISTEN "+pgx.Identifier{s.log.target.channel()}.Sanitize()); err != nil {
		s.log.end(listener)
		return classify(fmt.Errorf("listening to %s: %w", s.log.place, err))
	}
	s.listener = listener
	return nil
}

// close ends the session that listens.
func (s *source) close() {
	if s.listener != nil {
		s.log.end(s.listener)
		s.listener = nil
	}
}

// Fetch implements persistence.Source.
func (s *source) Fetch(ctx context.Context, after, upto uint64, maxBytes int) ([]*mercure.Event, persistence.Extent, error) {
	return s.log.fetch(ctx, after, upto, maxBytes)
}

// Fill implements persistence.Source.
func (s *source) Fill(ctx context.Context, head uint64) error {
	l := s.log
	for {
		var x result
		err := l.ask(ctx, "fill lost positions of", true, func(ctx context.Context, session *session) (err error) {
			c := &batchCall{now: l.o.Now(), ownerless: true}
			if x, err = l.call(ctx, session, c); err != nil || x.head >= head {
				return err
			}
			var id []byte
			for position := x.head + 1; position <= min(head, x.head+fillEvents); position++ {
				e := mercure.NewEvent(&mercure.Update{})
				id = l.cipher.Append(id[:0], position)
				e.Place(position, c.now, id)
				c.events = append(c.events, e)
			}
			c.columns = newColumns(c.events)
			c.columns.place(c.events)
			_, err = l.call(ctx, session, c) // stores nothing where another node was first
			return err
		})
		if err != nil || x.head >= head {
			return err
		}
	}
}
