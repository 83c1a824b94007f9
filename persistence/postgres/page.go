package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hubd/mercure"
	"hubd/persistence"
)

const (
	// frameLeast is less than any frame with an id that the hub made has.
	frameLeast = 48
	// pageRows bounds a page.
	pageRows = 2048
	// lagStep is how long a reader waits to hear what has become of events that are deleted.
	lagStep = 5 * time.Millisecond
)

// pageStatement returns the statement for a page: rows after $1 up to $2, of $3 bytes of frames, $4 rows at most.
func pageStatement(schema, after string) string {
	return "SELECT " + rowColumns + " FROM (SELECT " + rowColumns + ", frame, sum(frame) OVER (ORDER BY position) AS total FROM " +
		schema + ".events WHERE position > " + after + " AND position <= $2 ORDER BY position LIMIT $4) e" +
		" WHERE total <= $3 OR total = frame ORDER BY position"
}

func rowLimit(maxBytes int) int { return min(max(maxBytes/frameLeast, 1), pageRows) }

// page reads retained events that this node has heard of. Where rows are gone of which it has not heard so yet, it is
// about to hear, and the page starts with what is left.
func (l *Log) page(after uint64, maxBytes int) ([]*mercure.Event, error) {
	statement := pageStatement(l.target.quoted(), "$1")
	var events []*mercure.Event
	for wait := 0; ; wait++ {
		before, head := l.feed.Bounds()
		if after = max(after, before); after >= head {
			return nil, nil
		}
		err := l.ask(context.Background(), "read from", true, func(ctx context.Context, s *session) (err error) {
			rows, err := s.Query(ctx, statement, int64(after), int64(head), maxBytes, rowLimit(maxBytes))
			if err != nil {
				return err
			}
			events, err = scanEvents(rows)
			return err
		})
		if err != nil || len(events) > 0 {
			return events, err
		}
		if wait > int(l.o.Timeout/lagStep) {
			return nil, fmt.Errorf("read from %s: %w: the events after position %d are gone", l.place, persistence.ErrUnavailable, after)
		}
		pause(l.ctx, lagStep)
	}
}

// noteBorrowed notes whether a publisher has chosen one of the ids for the events, which are about to be visible, that the
// hub makes. One that does so knows the id of an event of the past, or of one that a restored backup has taken back.
func (l *Log) noteBorrowed(events []*mercure.Event) bool {
	borrowed := false
	for _, e := range events {
		if e.OwnID && len(e.IDBytes()) == mercure.IDLen {
			_, made := l.cipher.Position(e.ID())
			borrowed = borrowed || made
		}
	}
	if borrowed {
		l.borrowed.Store(true)
	}
	return borrowed
}

// Find implements persistence.Log. Ids that the hub made are found in memory where the event is in the ring or gone, so that
// ten thousand streams that resume at once do not ask the database ten thousand times.
func (l *Log) Find(id string) (uint64, bool, error) {
	if l.feed.Closed() {
		return 0, false, persistence.ErrClosed
	}
	before, head := l.feed.Bounds()
	made, ok := l.cipher.Position(id)
	if ok && !l.borrowed.Load() {
		if made <= before || made > head {
			return 0, false, nil
		}
		if e := l.feed.At(made); e != nil && !e.OwnID {
			return made, true, nil
		}
	}
	ok = ok && made > before && made <= head
	if !ok {
		made = 0
	}
	schema := l.target.quoted()
	statement := `SELECT
		(SELECT position FROM ` + schema + `.events WHERE own_id AND hashtextextended(id, 0) = hashtextextended($1, 0) AND id = $1
			AND position > $2 AND position <= $3 ORDER BY hashtextextended(id, 0), position LIMIT 1),
		(SELECT own_id FROM ` + schema + `.events WHERE position = $4)`
	var own *int64
	var foreign *bool
	err := l.ask(context.Background(), "find an id in", true, func(ctx context.Context, s *session) error {
		return s.QueryRow(ctx, statement, id, int64(before), int64(head), int64(made)).Scan(&own, &foreign)
	})
	if err != nil {
		return 0, false, err
	}
	// A row that is gone of which this node has not heard so yet is still there for it.
	ok = ok && (foreign == nil || !*foreign)
	switch {
	case own != nil && !(ok && made < uint64(*own)):
		return uint64(*own), true, nil
	case ok:
		return made, true, nil
	}
	return 0, false, nil
}

// fetch reads committed events after the position, and where the history begins and ends after that.
func (l *Log) fetch(ctx context.Context, after, upto uint64, maxBytes int) ([]*mercure.Event, persistence.Extent, error) {
	schema := l.target.quoted()
	last := int64(upto)
	if upto == 0 {
		last = int64(^uint64(0) >> 1)
	}
	statement := pageStatement(schema, "greatest($1, (SELECT before FROM "+schema+".head))")
	var events []*mercure.Event
	var before, head int64
	var lastID string
	err := l.ask(ctx, "read from", true, func(ctx context.Context, s *session) (err error) {
		var b pgx.Batch
		b.Queue(statement, int64(after), last, maxBytes, rowLimit(maxBytes)).Query(func(rows pgx.Rows) (err error) {
			events, err = scanEvents(rows)
			return err
		})
		b.Queue("SELECT before, head, last_id FROM " + schema + ".head").QueryRow(func(row pgx.Row) error {
			return row.Scan(&before, &head, &lastID)
		})
		return s.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return nil, persistence.Extent{}, err
	}
	x := persistence.Extent{Before: uint64(before), Head: uint64(head), LastID: lastID}
	if len(events) > 0 && x.Head < events[len(events)-1].Position {
		return nil, x, fmt.Errorf("%w: there are events after the head", persistence.ErrCorrupt)
	}
	l.noteBorrowed(events)
	return events, x, nil
}
