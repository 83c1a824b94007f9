package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hubd/mercure"
	"hubd/persistence"
)

// How long an append waits before it tries a server again that broke off the connection.
const (
	againLeast = 10 * time.Millisecond
	againMost  = 500 * time.Millisecond
)

// appender is what only the caller of Append touches, apart from statements and writer, which never change.
type appender struct {
	statements
	writer   [16]byte // stands for this log in the table of writers
	sequence int64    // of the last batch
	session  *session // nil while there is none
	// contended tells that another node appended since this one did the last time.
	contended bool
	id        []byte // scratch
	// store stores a batch; tests put failures in its place.
	store func(context.Context, *batchCall) (result, error)
}

func newAppender(schema string) appender {
	a := appender{statements: newStatements(schema)}
	_, _ = rand.Read(a.writer[:]) // it does not fail; see crypto/rand
	return a
}

// statements are those of append.
type statements struct{ append, lock string }

func newStatements(schema string) statements {
	return statements{
		append: "SELECT * FROM " + schema + ".append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
		lock:   "SELECT head + 1 FROM " + schema + ".head FOR UPDATE",
	}
}

// batchCall is one call of append.
type batchCall struct {
	events    []*mercure.Event
	columns   *columns
	sequence  int64
	ownerless bool // it stands in nobody's sequence
	now       time.Time
	retain    bool
	borrowed  bool // it has a chosen id that the hub makes
}

// result is what append answers.
type result struct {
	stored                      bool
	first, before, head, purged uint64
	lastID                      string
}

func (r result) extent() persistence.Extent {
	return persistence.Extent{Before: r.before, Head: r.head, LastID: r.lastID}
}

// Append implements persistence.Log.
func (l *Log) Append(batch []*mercure.Event) (uint64, error) {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.feed.Closed() {
		return 0, persistence.ErrClosed
	}
	ctx, cancel := within(l.ctx, l.o.Timeout)
	defer cancel()
	first, err := l.append(ctx, batch)
	switch {
	case err == nil:
		return first, nil
	case l.feed.Closed():
		return 0, persistence.ErrClosed
	}
	l.doubt.Store(true)
	return 0, fmt.Errorf("append to %s: %w", l.place, ended(ctx, err))
}

func (l *Log) append(ctx context.Context, batch []*mercure.Event) (uint64, error) {
	if len(batch) == 0 || l.doubt.Load() {
		next, err := l.settle(ctx)
		if err != nil || len(batch) == 0 {
			return next, err
		}
	}
	l.sequence++
	c := &batchCall{
		events: batch, columns: newColumns(batch), sequence: l.sequence, now: l.o.Now(), retain: true, borrowed: l.noteBorrowed(batch),
	}
	x, err := l.insist(ctx, c)
	if err != nil {
		return 0, err
	}
	return x.first, l.catchUp(ctx, batch, x)
}

// settle finds out what became of a batch whose fate is not known, and makes it visible if it is stored. It cannot be
// stored any later: the sequence is taken.
func (l *Log) settle(ctx context.Context) (next uint64, err error) {
	l.sequence++
	x, err := l.insist(ctx, &batchCall{sequence: l.sequence, now: l.o.Now()})
	if err != nil {
		return 0, err
	}
	if err := l.catchUp(ctx, nil, x); err != nil {
		return 0, err
	}
	l.doubt.Store(false)
	return max(x.head, l.feed.Extent().Head) + 1, nil
}

// catchUp publishes what was appended and what others appended before it. A connection that breaks is no reason to leave
// stored events out of sight.
func (l *Log) catchUp(ctx context.Context, batch []*mercure.Event, x result) error {
	for wait := againLeast; ; wait = min(2*wait, againMost) {
		var err error
		if len(batch) > 0 {
			err = l.follower.Appended(ctx, batch, x.extent())
		} else {
			err = l.follower.CatchUp(ctx, x.head)
		}
		if err == nil || !errors.Is(err, persistence.ErrUnavailable) || !pause(ctx, wait) {
			return err
		}
	}
}

// insist stores the batch, and tries again while it is not known whether it is stored: the server can tell.
func (l *Log) insist(ctx context.Context, c *batchCall) (result, error) {
	store := l.attempt
	if l.store != nil {
		store = l.store
	}
	for wait := againLeast; ; wait = min(2*wait, againMost) {
		x, err := store(ctx, c)
		if err == nil || !errors.Is(err, persistence.ErrUnavailable) || !pause(ctx, wait) {
			return x, err
		}
	}
}

// pause waits, and tells whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt stores the batch in one round trip, if its first position is guessed right, and otherwise in two while it holds
// the head.
func (l *Log) attempt(ctx context.Context, c *batchCall) (result, error) {
	s, err := l.writerSession(ctx)
	if err != nil {
		return result{}, err
	}
	x, err := l.try(ctx, s, c)
	if err != nil && (!answered(err) || s.IsClosed() || s.PgConn().TxStatus() != 'I') {
		l.dropWriter()
	}
	return x, classify(err)
}

func (l *Log) try(ctx context.Context, s *session, c *batchCall) (result, error) {
	_, head := l.feed.Bounds()
	if len(c.events) == 0 {
		return l.call(ctx, s, c)
	}
	if !l.contended {
		l.placeAt(c, head+1)
		x, err := l.call(ctx, s, c)
		if err != nil || x.stored {
			return l.done(c, x, head+1), err
		}
		l.contended = true
	}
	x, err := l.hold(ctx, s, c, head)
	if errors.Is(err, errBehind) {
		// The engine is behind what streams have seen. No position may be used twice.
		err = l.source.Fill(ctx, head)
		if err == nil {
			x, err = l.hold(ctx, s, c, head)
		}
	}
	return x, err
}

// errBehind tells that the database has lost events.
var errBehind = errors.New("the database has lost events that were seen")

// hold takes hold of the head and stores the batch after it. The head was at least at the given position.
func (l *Log) hold(ctx context.Context, s *session, c *batchCall, head uint64) (result, error) {
	var next int64
	var b pgx.Batch
	b.Queue("BEGIN")
	b.Queue(l.lock).QueryRow(func(row pgx.Row) error { return row.Scan(&next) })
	if err := s.SendBatch(ctx, &b).Close(); err != nil {
		return result{}, err
	}
	first := uint64(next)
	if first <= head {
		_, err := s.Exec(ctx, "ROLLBACK")
		return result{}, errors.Join(errBehind, err)
	}
	l.contended = first > head+1
	l.placeAt(c, first)
	var x result
	b = pgx.Batch{}
	b.Queue(l.statements.append, l.arguments(c)...).QueryRow(func(row pgx.Row) (err error) {
		x, err = scanResult(row)
		return err
	})
	b.Queue("COMMIT")
	if err := s.SendBatch(ctx, &b).Close(); err != nil {
		return result{}, err
	}
	return l.done(c, x, first), nil
}

// done puts the events where they are: where an earlier attempt had stored them, that is not where the last one tried to.
func (l *Log) done(c *batchCall, x result, tried uint64) result {
	if x.stored && x.first != tried {
		l.placeAt(c, x.first)
	}
	return x
}

// placeAt gives the events of a call their positions, times and ids.
func (l *Log) placeAt(c *batchCall, first uint64) {
	for i, e := range c.events {
		position := first + uint64(i)
		l.id = l.cipher.Append(l.id[:0], position)
		e.Place(position, c.now, l.id)
	}
	c.columns.place(c.events)
}

// call calls append by itself: the server commits when it is done.
func (l *Log) call(ctx context.Context, s *session, c *batchCall) (result, error) {
	return scanResult(s.QueryRow(ctx, l.statements.append, l.arguments(c)...))
}

func scanResult(row pgx.Row) (result, error) {
	var x result
	var first, before, head, purged int64
	err := row.Scan(&x.stored, &first, &before, &head, &purged, &x.lastID)
	x.first, x.before, x.head, x.purged = uint64(first), uint64(before), uint64(head), uint64(purged)
	return x, err
}

// arguments are those of append.
func (l *Log) arguments(c *batchCall) []any {
	var writer, first any
	if !c.ownerless {
		writer = l.writer
	}
	k := c.columns
	if k == nil {
		k = &columns{}
	} else {
		first = int64(c.events[0].Position)
	}
	r := l.o.Retention
	return []any{
		writer, c.sequence, first, c.now.UnixNano(),
		k.ids, k.own, k.private, k.topics, k.types, k.retries, k.data, k.raw, k.frames, k.bytes, c.borrowed,
		c.retain, int64(r.MaxEvents), r.MaxAge.Nanoseconds(), int64(r.MaxBytes),
	}
}

// writerSession returns the session that appends.
func (l *Log) writerSession(ctx context.Context) (*session, error) {
	if l.session != nil && !l.session.IsClosed() {
		return l.session, nil
	}
	s, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	l.session = s
	l.pid.Store(s.pid)
	return s, nil
}

func (l *Log) dropWriter() {
	if l.session != nil {
		l.end(l.session)
		l.session = nil
	}
	l.pid.Store(0)
}
