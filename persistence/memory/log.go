package memory

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// Options are those of Open. The zero value is a log without bounds.
type Options struct {
	// Retention bounds the history.
	Retention persistence.Retention
	// Ring bounds the newest events that are read without a lock.
	Ring persistence.RingOptions
	// Now is the clock that dates events; nil is time.Now.
	Now func() time.Time
}

// Validate reports an option that makes no sense.
func (o Options) Validate() error {
	if err := o.Retention.Validate(); err != nil {
		return err
	}
	return o.Ring.Validate()
}

// Log is a persistence.Log in memory.
type Log struct {
	feed      *persistence.Feed
	cipher    *persistence.IDCipher
	retention persistence.Retention
	now       func() time.Time

	// mu guards what follows; it is held for work in memory only.
	mu     sync.RWMutex
	before uint64           // position before that of events[0]
	events []*mercure.Event // retained, without gaps
	size   uint64           // of events together
	own    map[string][]uint64
	id     []byte // scratch of Append

	setbacks persistence.Setbacks
}

var _ persistence.Log = (*Log)(nil)

// Open returns an empty log.
func Open(o Options) (*Log, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open memory store: %w", err)
	}
	key := make([]byte, persistence.IDKeyLen)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("open memory store: make the id key: %w", err)
	}
	cipher, err := persistence.NewIDCipher(key)
	if err != nil {
		return nil, fmt.Errorf("open memory store: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Log{
		feed:      persistence.NewFeed(o.Ring),
		cipher:    cipher,
		retention: o.Retention,
		now:       o.Now,
		own:       map[string][]uint64{},
	}, nil
}

// Append implements persistence.Log.
func (l *Log) Append(batch []*mercure.Event) (uint64, error) {
	if l.feed.Closed() {
		return 0, persistence.ErrClosed
	}
	now := l.now()
	l.mu.Lock()
	first := l.before + uint64(len(l.events)) + 1
	for i, e := range batch {
		position := first + uint64(i)
		l.id = l.cipher.Append(l.id[:0], position)
		e.Place(position, now, l.id)
		l.events = append(l.events, e)
		l.setbacks.Note(position, now)
		l.size += uint64(persistence.Size(e))
		if e.OwnID {
			l.own[e.ID()] = append(l.own[e.ID()], position)
		}
	}
	if len(batch) > 0 {
		l.trim(now)
		newest := batch[len(batch)-1]
		l.feed.Publish(batch, persistence.Extent{Before: l.before, Head: newest.Position, LastID: newest.ID()})
	}
	l.mu.Unlock()
	l.feed.Wake()
	return first, nil
}

// trim removes what exceeds the retention.
func (l *Log) trim(now time.Time) {
	n := 0
	expired := l.setbacks.Expired(now, l.retention.MaxAge)
	for n < len(l.events) {
		oldest := l.events[n]
		if oldest.Position > expired && !l.retention.Exceeded(uint64(len(l.events)-n), l.size, now.Sub(oldest.Time)) {
			break
		}
		l.size -= uint64(persistence.Size(oldest))
		if oldest.OwnID {
			l.forget(oldest.ID())
		}
		l.events[n] = nil // the array outlives the slice's start
		n++
	}
	l.events = l.events[n:]
	l.before += uint64(n)
	l.setbacks.Forget(l.before)
}

// forget removes the earliest position of the id.
func (l *Log) forget(id string) {
	if positions := l.own[id][1:]; len(positions) > 0 {
		l.own[id] = positions
	} else {
		delete(l.own, id)
	}
}

// Find implements persistence.Log.
func (l *Log) Find(id string) (uint64, bool, error) {
	if l.feed.Closed() {
		return 0, false, persistence.ErrClosed
	}
	made, ok := l.cipher.Position(id)
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, head := l.feed.Bounds()
	if ok = ok && made > l.before && made <= head; ok {
		ok = !l.events[made-l.before-1].OwnID
	}
	if own := l.own[id]; len(own) > 0 && own[0] <= head && !(ok && made < own[0]) {
		return own[0], true, nil
	}
	if !ok {
		return 0, false, nil
	}
	return made, true, nil
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

// page reads retained events that readers may see already.
func (l *Log) page(after uint64, maxBytes int) ([]*mercure.Event, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, head := l.feed.Bounds() // under the lock: what is retained does not move past it
	var page []*mercure.Event
	for position := max(after, l.before) + 1; position <= head; position++ {
		e := l.events[position-l.before-1]
		maxBytes -= len(e.Frame())
		if maxBytes < 0 && len(page) > 0 {
			break
		}
		page = append(page, e)
	}
	return page, nil
}

// Bounds implements persistence.Log.
func (l *Log) Bounds() (before, head uint64) { return l.feed.Bounds() }

// LastID implements persistence.Log.
func (l *Log) LastID() string { return l.feed.LastID() }

// Tail implements persistence.Log.
func (l *Log) Tail(after uint64, notify func()) (persistence.Tail, error) {
	return l.feed.Tail(after, notify, l.page)
}

// Close implements persistence.Log.
func (l *Log) Close() error {
	l.feed.Close()
	l.mu.Lock() // until the calls under way are done
	defer l.mu.Unlock()
	return nil
}
