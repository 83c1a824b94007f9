package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"hubd/mercure"
	"hubd/persistence"
)

// Log is a persistence.Shared in a schema of a PostgreSQL database.
type Log struct {
	o      Options
	target target
	place  string // for errors
	feed   *persistence.Feed
	cipher *persistence.IDCipher
	// follower publishes what other nodes append.
	follower *persistence.Follower
	source   *source
	dialer   *dialer
	pool     *pool
	caveats  []string

	// ctx ends with Close, and with it every call that is under way.
	ctx    context.Context
	cancel context.CancelFunc

	closing sync.Once
	// appending is held by Append while it lasts, and by Close to wait for it.
	appending sync.Mutex
	appender

	// borrowed is set once an event that readers of this node may see has a chosen id that the hub makes.
	borrowed atomic.Bool
	// doubt is set while it is not known whether this node's last batch is stored.
	doubt atomic.Bool
	// pid is the server process that appends for this node.
	pid atomic.Uint32
}

var _ persistence.Shared = (*Log)(nil)

// Open connects to the database, makes or migrates the schema, and applies the retention to what it holds. Errors wrap
// persistence.ErrUnavailable where the database cannot be reached, which may pass with time, or persistence.ErrNotHubStore
// where the schema has tables of something else. No error has a password in it.
func Open(ctx context.Context, o Options) (*Log, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open postgres store: %w", err)
	}
	o = o.withDefaults()
	t, err := parseTarget(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open postgres store: %w", err)
	}
	l := newLog(o, t)
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", l.place, err), l.Close())
	}
	return l, nil
}

// newLog returns a log that is not connected.
func newLog(o Options, t target) *Log {
	l := &Log{o: o, target: t, place: t.describe(), feed: persistence.NewFeed(o.Ring)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.dialer = newDialer(t.config.DialFunc)
	t.config.DialFunc = l.dialer.Dial
	l.pool = newPool(o.Connections, l.connect, l.end)
	l.source = &source{log: l}
	l.follower = l.newFollower()
	l.appender = newAppender(t.quoted())
	return l
}

func (l *Log) newFollower() *persistence.Follower {
	return persistence.NewFollower(persistence.FollowerOptions{
		Feed: l.feed, Source: l.source, Contacted: l.o.Contacted, Lost: l.o.Lost,
	})
}

// open makes the schema and takes over what it holds.
func (l *Log) open(ctx context.Context) error {
	ctx, cancel := within(ctx, l.o.Timeout)
	defer cancel()
	s, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer l.pool.put(s)
	key, err := migrate(ctx, s, l.target)
	if err != nil {
		return err
	}
	if l.cipher, err = persistence.NewIDCipher(key); err != nil {
		return fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	x, err := readSettings(ctx, s)
	if err != nil {
		return err
	}
	l.caveats = x.caveats()
	extent, err := l.retain(ctx, s)
	if err != nil {
		return classify(fmt.Errorf("applying the retention: %w", err))
	}
	var borrowed bool
	if err := s.QueryRow(ctx, "SELECT borrowed FROM "+l.target.quoted()+".head").Scan(&borrowed); err != nil {
		return classify(fmt.Errorf("reading the head: %w", err))
	}
	l.borrowed.Store(borrowed)
	l.feed.Reset(extent)
	l.follower.Start()
	return nil
}

// retain applies the retention to what the history held before, and deletes what it took out of it.
func (l *Log) retain(ctx context.Context, s *session) (persistence.Extent, error) {
	const forget = ".writers WHERE seen < clock_timestamp() - interval '1 day'"
	if _, err := s.Exec(ctx, "DELETE FROM "+l.target.quoted()+forget); err != nil {
		return persistence.Extent{}, err
	}
	now := l.o.Now()
	x, err := l.call(ctx, s, &batchCall{now: now, retain: true, ownerless: true})
	for goal := x.before; err == nil && x.purged < goal; {
		x, err = l.call(ctx, s, &batchCall{now: now, retain: true, ownerless: true})
	}
	return x.extent(), err
}

func (l *Log) connect(ctx context.Context) (*session, error) {
	return connect(ctx, l.target.config, l.o.Timeout)
}

func (l *Log) end(s *session) { s.end(l.o.Timeout) }

// Caveats returns what the hub cannot promise with the server's settings, one sentence each.
func (l *Log) Caveats() []string { return slices.Clone(l.caveats) }

// Bounds implements persistence.Log.
func (l *Log) Bounds() (before, head uint64) { return l.feed.Bounds() }

// LastID implements persistence.Log.
func (l *Log) LastID() string { return l.feed.LastID() }

// Tail implements persistence.Log.
func (l *Log) Tail(after uint64, notify func()) (persistence.Tail, error) {
	return l.feed.Tail(after, notify, l.page)
}

// Contact implements persistence.Shared.
func (l *Log) Contact() error { return l.follower.Contact() }

// Board implements persistence.Shared.
func (l *Log) Board(name string) persistence.Board { return &board{log: l, name: name} }

// Read implements persistence.Log.
func (l *Log) Read(after uint64, maxBytes int) ([]*mercure.Event, error) {
	if l.feed.Closed() {
		return nil, persistence.ErrClosed
	}
	if page, held := l.feed.Read(after, maxBytes); held {
		return page, nil
	}
	return l.page(after, maxBytes)
}

// ask runs fn on a session of the pool. What fn does may be done twice if again is set.
func (l *Log) ask(ctx context.Context, doing string, again bool, fn func(context.Context, *session) error) error {
	if l.feed.Closed() {
		return persistence.ErrClosed
	}
	ctx, cancel := within(ctx, l.o.Timeout)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	err := l.pool.do(ctx, again, func(s *session) error { return fn(ctx, s) })
	if err == nil {
		return nil
	}
	if l.feed.Closed() {
		return persistence.ErrClosed
	}
	return fmt.Errorf("%s %s: %w", doing, l.place, err)
}

// Close implements persistence.Log. What was under way is given up.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.feed.Close()
		l.cancel()
		l.follower.Stop()
		l.source.close()
		l.appending.Lock()
		defer l.appending.Unlock()
		l.dropWriter()
		l.pool.close()
		l.dialer.close()
	})
	return nil
}
