package bolt

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"hubd/mercure"
	"hubd/persistence"
)

// Log is a persistence.Log in a bbolt file.
type Log struct {
	path      string
	retention persistence.Retention
	now       func() time.Time
	cipher    *persistence.IDCipher
	digester  digester
	feed      *persistence.Feed
	db        *bbolt.DB
	// update runs a write transaction; tests put failures in its place.
	update func(func(*bbolt.Tx) error) error

	// recent are the pairs that are in no run yet, in the order of their positions. The slice is
	// extended in place, beyond what any reader has of it, or replaced.
	recent atomic.Pointer[[]pair]
	// runs tells whether there may be runs, to spare readers of a store without chosen ids the file.
	runs atomic.Bool
	// transactions is held by each read transaction while it lasts. Only settle takes it for writing,
	// for an instant.
	transactions sync.RWMutex
	// broken is set when bbolt panicked while writing: its locks may be held for ever.
	broken atomic.Bool
	// unreadable is set when bbolt panicked before a read transaction had begun; the same goes then.
	unreadable atomic.Bool
	damage     damage

	closing  sync.Once
	closeErr error

	appender
}

// appender is what only the caller of Append touches.
type appender struct {
	state    state
	setbacks persistence.Setbacks
	purged   uint64 // records up to this position are removed
	suspect  bool   // an update failed: what the file holds is to be found out
	records  []byte // scratch: the records of a batch
	id       []byte // scratch
}

var _ persistence.Log = (*Log)(nil)

// Open opens or creates the store and applies the retention to what it holds. Errors wrap
// persistence.ErrHeld, which may pass with time, persistence.ErrNotHubStore or
// persistence.ErrCorrupt; no file is changed or created with these.
func Open(o Options) (*Log, error) {
	l, err := open(o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open bolt store %s: %w", o.Path, advised(err, o.Path))
	}
	return l, nil
}

func open(o Options) (*Log, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c, err := examine(o.Path, o.LockTimeout, true)
	if err != nil {
		return nil, err
	}
	db, err := openFile(o)
	if err != nil {
		if c.fresh {
			dropTorso(o.Path)
		}
		return nil, err
	}
	l := &Log{
		path: o.Path, retention: o.Retention, now: o.Now, feed: persistence.NewFeed(o.Ring), db: db,
		damage: damage{tell: o.Damaged},
	}
	l.update = l.transact
	if err := guarded(func() error { return l.load(c) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// load takes over what the file was found to hold, or fills a new one, and applies the retention.
func (l *Log) load(c contents) error {
	old := false
	err := l.db.View(func(tx *bbolt.Tx) error {
		h, fresh, err := loadHeader(tx)
		switch {
		case err != nil:
			return err
		case fresh != c.fresh, !fresh && uint64(tx.ID()) != c.txid:
			return errReplaced // or written to, between the examination and the lock
		}
		old = !fresh && h.format < format
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case c.fresh:
		err = l.db.Update(create)
	case old:
		err = l.db.Update(upgrade)
	}
	if err != nil {
		return err
	}
	if err := l.db.View(l.loadKeys); err != nil {
		return err
	}
	for _, d := range c.damaged {
		l.damage.report(d.position, d.err)
	}
	l.state.size, l.setbacks = c.size, c.setbacks // what cannot be read does not count
	// Once in any case: a store that cannot be written to is found out here and not by a publisher.
	// No one reads yet.
	for first := true; first || l.purged < l.state.before; first = false {
		if err := l.commit(nil, l.now()); err != nil {
			return err
		}
	}
	l.feed.Reset(l.state.extent())
	return nil
}

// loadKeys reads the keys, the state and what follows from the records.
func (l *Log) loadKeys(tx *bbolt.Tx) error {
	h, _, err := loadHeader(tx)
	if err != nil {
		return err
	}
	copy(l.digester[:], h.digestKey)
	if l.cipher, err = persistence.NewIDCipher(h.idKey); err != nil {
		return err
	}
	return l.loadState(tx)
}

// loadState reads the state and what follows from the records: the pairs that are in no run, and how
// far records were removed.
func (l *Log) loadState(tx *bbolt.Tx) error {
	h, _, err := loadHeader(tx)
	if err != nil {
		return err
	}
	l.state = h.state
	events := bucket(tx, eventsBucket)
	l.purged = l.state.head
	if key, _ := events.Cursor().First(); key != nil {
		first, err := keyPosition(key)
		if err != nil {
			return err
		}
		l.purged = first - 1
	}
	key, _ := bucket(tx, idsBucket).Cursor().First()
	l.runs.Store(key != nil)

	var pairs []pair
	c := events.Cursor()
	for key, value := c.Seek(positionKey(max(l.state.indexed, l.state.before) + 1)); key != nil; key, value = c.Next() {
		position, err := keyPosition(key)
		if err != nil {
			return err
		}
		r, err := persistence.ParseRecord(position, value)
		if err != nil {
			l.damage.report(position, err)
			continue
		}
		if r.OwnID() {
			pairs = append(pairs, pair{l.digester.digest(r.ID()), position})
		}
	}
	l.recent.Store(&pairs)
	return nil
}

// view runs fn in a read transaction. Where the file is cut off under our feet so far that none can begin,
// bbolt keeps its locks for ever, and no other may be tried.
func (l *Log) view(fn func(*bbolt.Tx) error) error {
	if l.unreadable.Load() {
		return errBroken
	}
	l.transactions.RLock()
	defer l.transactions.RUnlock()
	begun := false
	err := guarded(func() error {
		return l.db.View(func(tx *bbolt.Tx) error {
			begun = true
			return fn(tx)
		})
	})
	if !begun && errors.Is(err, persistence.ErrCorrupt) {
		l.unreadable.Store(true)
	}
	return closedError(err)
}

func closedError(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return persistence.ErrClosed
	}
	return err
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

// Close implements persistence.Log.
func (l *Log) Close() error {
	l.closing.Do(func() {
		l.feed.Close()
		if l.broken.Load() || l.unreadable.Load() {
			l.closeErr = fmt.Errorf("close bolt store %s: it broke while it was used; the file stays locked until the process ends", l.path)
			return
		}
		if err := l.db.Close(); err != nil {
			l.closeErr = fmt.Errorf("close bolt store %s: %w", l.path, err)
		}
	})
	return l.closeErr
}
