package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"hubd/mercure"
	"hubd/persistence"
)

// Log is a persistence.Shared in a JetStream stream.
type Log struct {
	o        Options
	target   target
	feed     *persistence.Feed
	follower *persistence.Follower
	cipher   *persistence.IDCipher
	engine   *engine
	caveats  []string
	// node is this log's name among those that have the store open.
	node string
	// publish stores messages; tests put failures in its place.
	publish func(ctx context.Context, messages []*nats.Msg, expected uint64, batch string) (uint64, error)

	// notices is written to when the engine may hold events of other nodes, or when it is to be asked.
	notices chan struct{}
	// seen is the newest position that another node is known to have appended, asked tells that the engine is to be
	// asked whatever was seen.
	seen  atomic.Uint64
	asked atomic.Bool
	// waiting tells that another node waits for its turn to append, overtook is written to when one has appended.
	waiting  atomic.Bool
	overtook chan struct{}

	// ctx ends with Close. calls are those under way, which Close waits for; starting is held while one begins.
	ctx      context.Context
	cancel   context.CancelFunc
	starting sync.RWMutex
	calls    sync.WaitGroup
	closing  sync.Once

	// mu guards newest, which is what the log is after the newest message known, anchors, and passed, which are the
	// positions reported as lost because nothing can be read of them. It is never held across I/O.
	mu      sync.Mutex
	newest  state
	anchors anchors
	passed  spans

	boards boards
	appender
}

// appender is what only the caller of Append touches.
type appender struct {
	edges    []edge             // of the oldest events retained, or some of them, without gaps
	setbacks map[uint64]setback // by sequence, of those that the age depends on
	purged   uint64             // most events up to this position are removed
	batches  uint64             // counts the batches, for their names
	suspect  bool               // an append failed: whether the engine takes messages is to be found out
}

var _ persistence.Shared = (*Log)(nil)

// Open opens or creates the store and applies the retention to what it holds. Errors wrap persistence.ErrUnavailable,
// which may pass with time, or persistence.ErrNotHubStore.
func Open(ctx context.Context, o Options) (*Log, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open JetStream store: %w", err)
	}
	t, err := parseTarget(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open JetStream store: %w", err)
	}
	l := &Log{
		o: o, target: t, feed: persistence.NewFeed(o.Ring), node: nuid.Next(), notices: make(chan struct{}, 1), overtook: make(chan struct{}, 1),
		boards: boards{using: make(chan struct{}, 1), copies: map[string]*boardCopy{}},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.follower = l.newFollower()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if err := l.open(ctx); err != nil {
		if l.engine != nil {
			l.engine.nc.Close()
		}
		l.cancel()
		return nil, l.failed("open", err)
	}
	l.follower.Start()
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	nc, err := l.connect(ctx)
	if err != nil {
		return err
	}
	l.engine = newEngine(nc, l.target.domain, l.o.PageCut)
	l.publish = l.engine.publish
	if err := l.setUp(ctx); err != nil {
		return err
	}
	if _, err := nc.Subscribe(l.wakeSubject(">"), l.notice); err != nil {
		return err
	}
	// From here on other nodes' appends are noticed, so that none is missed after what is found now.
	if err := nc.FlushWithContext(ctx); err != nil {
		return err
	}
	return l.load(ctx)
}

func (l *Log) newFollower() *persistence.Follower {
	return persistence.NewFollower(persistence.FollowerOptions{
		Feed: l.feed, Source: source{l}, Contacted: l.o.Contacted, Lost: l.o.Lost,
	})
}

// load takes over what the stream holds and applies the retention to it. Where another node does the same, the one that
// removed more counts.
func (l *Log) load(ctx context.Context) error {
	s, err := l.found(ctx)
	if err != nil {
		return err
	}
	l.newest = s
	kept, err := l.retain(ctx, s, s, nil, l.o.Now())
	if err != nil {
		return err
	}
	if kept > s.before {
		if err := l.raiseFloor(ctx, kept); err != nil {
			return err
		}
		l.newest.before = kept
		l.purge(ctx, l.newest)
	}
	l.feed.Reset(l.newest.extent())
	return nil
}

// begin marks the beginning of a call that needs the engine. The context ends in time, and with the log.
func (l *Log) begin() (ctx context.Context, end func(), err error) {
	l.starting.RLock()
	defer l.starting.RUnlock()
	if l.feed.Closed() {
		return nil, nil, persistence.ErrClosed
	}
	l.calls.Add(1)
	ctx, cancel := context.WithTimeout(l.ctx, l.o.Timeout)
	return ctx, func() { cancel(); l.calls.Done() }, nil
}

// known returns the state after the newest message known.
func (l *Log) known() state {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest
}

// learn takes note of a state that was read or written.
func (l *Log) learn(s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.sequence >= l.newest.sequence {
		s.before = max(s.before, min(l.newest.before, s.head))
		l.newest = s
	}
}

// raise takes note of a start of the history that was read or written apart from the events.
func (l *Log) raise(before uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest.before = max(l.newest.before, min(before, l.newest.head))
}

// nudge makes the follower ask the engine at once.
func (l *Log) nudge() {
	l.asked.Store(true)
	l.signal()
}

func (l *Log) signal() {
	select {
	case l.notices <- struct{}{}:
	default:
	}
}

// Bounds implements persistence.Log.
func (l *Log) Bounds() (before, head uint64) { return l.feed.Bounds() }

// LastID implements persistence.Log.
func (l *Log) LastID() string { return l.feed.LastID() }

// Tail implements persistence.Log.
func (l *Log) Tail(after uint64, notify func()) (persistence.Tail, error) {
	return l.feed.Tail(after, notify, l.page)
}

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

// Contact implements persistence.Shared.
func (l *Log) Contact() error { return l.follower.Contact() }

// Caveats tells what the engine, as it is set up, cannot promise. One sentence each.
func (l *Log) Caveats() []string { return l.caveats }

// Close implements persistence.Log.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.starting.Lock()
		l.feed.Close()
		l.starting.Unlock()
		l.cancel()
		l.follower.Stop()
		l.calls.Wait()
		l.engine.nc.Close()
	})
	return nil
}

// errBehind is what an append finds where the engine lost events; see persistence.Source.Fill.
var errBehind = errors.New("the engine lost events, which are being passed over")

// errNoAnswer is what an append ends with that the engine did not answer in time.
var errNoAnswer = errors.New("no answer in time")
