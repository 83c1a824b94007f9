package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"hubd/mercure"
	"hubd/persistence"
)

// format is the version of the layout that doc.go describes.
const (
	formatMagic = "hubd log "
	format      = 1
)

// keys are the names of the log's keys.
type keys struct {
	meta, log, wake, ids, chosen, ages, writer, mark string
}

// Log is a persistence.Shared on a Redis server.
type Log struct {
	name      string // of the engine, in errors
	prefix    string
	keys      keys
	retention persistence.Retention
	now       func() time.Time
	timeout   time.Duration
	lost      func(after, upto uint64)
	damaged   func(position uint64, err error)
	caveats   []string

	engine   engine
	scripts  scripts
	identity string // name of the store
	idKey    []byte
	cipher   *persistence.IDCipher
	feed     *persistence.Feed
	follower *persistence.Follower

	confirmations confirmations

	// hasChosen tells whether publishers' ids may be in the index as far as readers can see; it is never taken back.
	hasChosen atomic.Bool
	// appending is the append under way, closed when it has ended, or nil.
	appending atomic.Pointer[chan struct{}]

	// ctx ends with Close. calls is held by each call that uses the engine, and by Close to wait for them.
	ctx     context.Context
	cancel  context.CancelFunc
	calls   sync.RWMutex
	closing sync.Once

	appender
}

// appender is what only the caller of Append touches.
type appender struct {
	sequence uint64
	chunks   chunks
	args     []string
	id       []byte
	// commit is store; tests put failures in its place.
	commit func(batch []*mercure.Event, now time.Time, r persistence.Retention) (answer, error)
}

var _ persistence.Shared = (*Log)(nil)

// Open opens or creates the store and applies the retention to what it holds. Errors wrap persistence.ErrUnavailable
// while the engine cannot be reached, persistence.ErrNotHubStore where the keys belong to something else, or
// persistence.ErrCorrupt.
func Open(ctx context.Context, o Options) (*Log, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open redis store: %w", err)
	}
	a, err := parseAddress(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open redis store: %w", err)
	}
	if o.Prefix != "" {
		a.prefix = o.Prefix
	}
	l, err := open(ctx, o, a)
	if err != nil {
		return nil, fmt.Errorf("open redis store at %s: %w", a.String(), err)
	}
	return l, nil
}

func open(ctx context.Context, o Options, a address) (*Log, error) {
	options, err := a.client(o)
	if err != nil {
		return nil, err
	}
	l := &Log{
		name: a.String(), prefix: a.prefix, retention: o.Retention, now: o.Now, timeout: o.Timeout, lost: o.Lost, damaged: o.Damaged,
		feed: persistence.NewFeed(o.Ring),
	}
	if l.scripts, err = loadScripts(); err != nil {
		return nil, err
	}
	if l.keys, err = newKeys(a.prefix); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.commit = l.store
	l.follower = l.newFollower(o)

	client, err := rueidis.NewClient(options)
	if err != nil {
		if client != nil {
			client.Close()
		}
		return nil, unavailable(err)
	}
	l.engine = engine{client: client, replicas: a.replicas, timeout: o.Timeout}
	if err := l.load(ctx); err != nil {
		client.Close()
		l.cancel()
		return nil, err
	}
	l.follower.Start()
	return l, nil
}

func (l *Log) newFollower(o Options) *persistence.Follower {
	return persistence.NewFollower(persistence.FollowerOptions{
		Feed: l.feed, Source: source{l}, Contacted: o.Contacted, Lost: o.Lost,
	})
}

// newKeys names the keys. The braces put them into one slot of a cluster. Each open log is a writer of its own.
func newKeys(prefix string) (keys, error) {
	writer, err := randomName()
	tag := "{" + prefix + "}:"
	return keys{
		meta: tag + "meta", log: tag + "log", wake: tag + "wake", ids: tag + "ids", chosen: tag + "chosen", ages: tag + "ages",
		writer: tag + "writer:" + writer, mark: tag + "mark:" + writer,
	}, err
}

func randomName() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make a name: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// load takes over what the engine holds, or makes a store in it, and applies the retention.
func (l *Log) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	name, err := randomName()
	if err != nil {
		return err
	}
	key := make([]byte, persistence.IDKeyLen)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make the id key: %w", err)
	}
	s, err := l.openStore(ctx, name, key, 0)
	if err != nil {
		return err
	}
	if err := checkFormat(s.format); err != nil {
		return err
	}
	l.identity, l.idKey = s.store, s.idKey
	if l.cipher, err = persistence.NewIDCipher(s.idKey); err != nil {
		return fmt.Errorf("%w: the id key: %w", persistence.ErrCorrupt, err)
	}
	now := l.now()
	a, err := l.transmit(ctx, l.arguments(nil, now, l.retention))
	if err != nil {
		return err
	}
	l.feed.Reset(a.extent(l.cipher))
	// Not before: another node may have been first to append such an id.
	chosen, err := l.engine.client.Do(ctx, l.engine.client.B().Exists().Key(l.keys.ids).Build()).AsInt64()
	if err != nil {
		return unavailable(err)
	}
	l.hasChosen.Store(chosen > 0)
	l.caveats, err = findCaveats(ctx, l.engine.client, l.name, l.engine.replicas)
	return err
}

// found is what the engine says of a store.
type found struct {
	format, store string
	idKey         []byte
}

// openStore returns what the engine says of the store there. Unless there is one it makes one with the name and the key
// and without any event up to the head.
func (l *Log) openStore(ctx context.Context, name string, idKey []byte, head uint64) (s found, err error) {
	m, err := l.engine.run(ctx, &l.scripts.open, []string{l.keys.meta, l.keys.log, l.keys.wake, l.keys.ids, l.keys.chosen, l.keys.ages},
		[]string{formatMagic + strconv.Itoa(format), name, hex.EncodeToString(idKey), strconv.FormatUint(head, 10)})
	if err != nil {
		return s, err
	}
	if len(m) != 4 {
		return s, errAnswer
	}
	var text string
	for _, read := range []func() error{
		func() (err error) { s.format, err = m[1].ToString(); return err },
		func() (err error) { s.store, err = m[2].ToString(); return err },
		func() (err error) { text, err = m[3].ToString(); return err },
	} {
		if err := read(); err != nil {
			return s, fmt.Errorf("%w: %w", errAnswer, err)
		}
	}
	if s.idKey, err = hex.DecodeString(text); err != nil {
		return s, fmt.Errorf("%w: the id key: %w", persistence.ErrCorrupt, err)
	}
	return s, nil
}

func checkFormat(text string) error {
	var n int
	if _, err := fmt.Sscanf(text, formatMagic+"%d", &n); err != nil {
		return persistence.ErrNotHubStore
	}
	if n > format {
		return fmt.Errorf("written by a newer version of the hub: it has format %d, this hub reads up to %d; start the newer one", n, format)
	}
	return nil
}

var errAnswer = fmt.Errorf("%w: a script returned what it cannot", persistence.ErrCorrupt)

// begin starts a call that uses the engine; end is to be called after it. It fails once the log is closed.
func (l *Log) begin(parent context.Context) (ctx context.Context, end func(), err error) {
	l.calls.RLock()
	if l.feed.Closed() {
		l.calls.RUnlock()
		return nil, nil, persistence.ErrClosed
	}
	ctx, cancel := context.WithTimeout(parent, l.timeout)
	return ctx, func() { cancel(); l.calls.RUnlock() }, nil
}

// failed says what was attempted on which engine.
func (l *Log) failed(attempt string, err error) error {
	if l.feed.Closed() && !errors.Is(err, persistence.ErrCorrupt) {
		err = persistence.ErrClosed
	}
	return fmt.Errorf("%s redis store at %s: %w", attempt, l.name, err)
}

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

// Caveats returns what the engine, as it is configured, does not promise; one sentence each.
func (l *Log) Caveats() []string { return l.caveats }

// Close implements persistence.Log. Calls that wait for an engine that does not answer end with their time.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.feed.Close()
		l.cancel()
		l.follower.Stop()
		l.engine.client.Close()
	})
	l.calls.Lock() // until the calls under way are done
	defer l.calls.Unlock()
	return nil
}
