package bolt

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

// Records that retention took out of the history are removed from the file by the few hundred, which
// costs fewer pages than one by one; and no more than so many at a time, because a commit must not
// take long when a great age or a lowered bound ends at once.
const (
	purgeLeast = 256
	purgeMost  = 4096
)

// scratchMost is the largest memory for a batch's records that is kept for the next batch.
const scratchMost = 4 << 20

var errBroken = fmt.Errorf("%w: it broke while it was used; restart the hub", persistence.ErrCorrupt)

// Append implements persistence.Log.
func (l *Log) Append(batch []*mercure.Event) (uint64, error) {
	first, err := l.append(batch)
	if err != nil {
		return 0, fmt.Errorf("append to bolt store %s: %w", l.path, closedError(err))
	}
	return first, nil
}

func (l *Log) append(batch []*mercure.Event) (uint64, error) {
	if l.feed.Closed() {
		return 0, persistence.ErrClosed
	}
	if err := l.settle(); err != nil {
		return 0, err
	}
	first := l.state.head + 1
	if len(batch) == 0 {
		return first, nil
	}
	now := l.now()
	for i, e := range batch {
		l.id = l.cipher.Append(l.id[:0], first+uint64(i))
		e.Place(first+uint64(i), now, l.id)
	}
	if err := l.commit(batch, now); err != nil {
		return 0, err
	}
	l.feed.Publish(batch, l.state.extent())
	l.feed.Wake()
	return first, nil
}

// commit stores placed events and applies the retention, in one transaction. What the retention
// takes out of the history now is removed from the file by a later one, when readers know already.
func (l *Log) commit(batch []*mercure.Event, now time.Time) error {
	next, purged := l.state, l.purged
	recent, wrote := *l.recent.Load(), false
	pairs := recent
	err := l.write(func(tx *bbolt.Tx) (err error) {
		events, ids := bucket(tx, eventsBucket), bucket(tx, idsBucket)
		if err = l.put(events, batch, &next); err != nil {
			return err
		}
		if err = l.retain(events, &next, now); err != nil {
			return err
		}
		if purged, err = purge(events, purged, l.state.before, len(batch)); err != nil {
			return err
		}
		if pairs, wrote, err = l.index(ids, batch, pairs, &next); err != nil {
			return err
		}
		return bucket(tx, metaBucket).Put([]byte(stateKey), next.append(nil))
	})
	if err != nil {
		l.suspect = true
		return err
	}
	l.state, l.purged = next, purged
	l.note(batch)
	if wrote {
		// A reader looks at recent first: it finds a pair there or, from here on, in the run.
		l.runs.Store(true)
	}
	if len(pairs) != len(recent) {
		l.recent.Store(&pairs)
	}
	return nil
}

// note takes stored events into account for the age of those before them.
func (l *Log) note(stored []*mercure.Event) {
	for _, e := range stored {
		l.setbacks.Note(e.Position, e.Time)
	}
	l.setbacks.Forget(l.state.before)
}

// put stores the records of the batch.
func (l *Log) put(events *bbolt.Bucket, batch []*mercure.Event, next *state) error {
	if len(batch) == 0 {
		return nil
	}
	size := 0
	for _, e := range batch {
		size += persistence.RecordCap(e)
	}
	// bbolt keeps references to the values until the commit, so the memory must not move.
	if cap(l.records) < size || cap(l.records) > scratchMost {
		l.records = make([]byte, 0, size)
	}
	records := l.records[:0]
	events.FillPercent = 1 // events are only ever added at the end
	for _, e := range batch {
		at := len(records)
		records = persistence.AppendRecord(records, e)
		if err := events.Put(positionKey(e.Position), records[at:len(records):len(records)]); err != nil {
			return err
		}
		next.size += uint64(persistence.Size(e))
	}
	newest := batch[len(batch)-1]
	next.head, next.lastID = newest.Position, newest.ID()
	return nil
}

// retain moves the start of the history past what exceeds the retention.
func (l *Log) retain(events *bbolt.Bucket, next *state, now time.Time) error {
	if l.retention.MaxAge == 0 && !l.retention.Exceeded(next.head-next.before, next.size, 0) {
		return nil
	}
	expired := l.setbacks.Expired(now, l.retention.MaxAge)
	c := events.Cursor()
	for key, value := c.Seek(positionKey(next.before + 1)); key != nil; key, value = c.Next() {
		r, err := persistence.ParseRecord(next.before+1, value)
		if err != nil {
			// Its age cannot be known, and it must not keep what comes after it from going. Nobody can
			// read it anyway.
			l.damage.report(next.before+1, err)
			next.before++
			continue
		}
		if next.before >= expired && !l.retention.Exceeded(next.head-next.before, next.size, now.Sub(r.Time)) {
			break
		}
		next.size -= min(next.size, r.Size())
		next.before++
	}
	l.damage.forget(next.before)
	return nil
}

// purge removes records from position purged+1 up to before, and returns how far it came. It walks
// backwards: a cursor keeps its place before what it deletes, and need not search for each key.
func purge(events *bbolt.Bucket, purged, before uint64, batch int) (uint64, error) {
	if purged == before || batch > 0 && before-purged < purgeLeast {
		return purged, nil
	}
	events.FillPercent = 1
	end := min(before, purged+uint64(max(purgeMost, 2*batch)))
	c := events.Cursor()
	key, _ := c.Seek(positionKey(end))
	for position := end; position > purged; position-- {
		if at, err := keyPosition(key); err != nil {
			return purged, err
		} else if at != position {
			return purged, fmt.Errorf("%w: record %d is missing", persistence.ErrCorrupt, position)
		}
		if err := c.Delete(); err != nil {
			return purged, err
		}
		key, _ = c.Prev()
	}
	return end, nil
}

// index adds the batch's chosen ids to the pairs, writes them as a run if it is time to, and removes
// runs that retention has outlived. It returns the pairs that are in no run, and whether it wrote one.
func (l *Log) index(ids *bbolt.Bucket, batch []*mercure.Event, pairs []pair, next *state) ([]pair, bool, error) {
	for _, e := range batch {
		if e.OwnID {
			pairs = append(pairs, pair{l.digester.digest(e.IDBytes()), e.Position})
		}
	}
	if l.runs.Load() {
		if err := dropRuns(ids, l.state.before); err != nil {
			return nil, false, err
		}
	}
	if len(pairs) < runPairs && next.head-next.indexed < runSpan {
		return pairs, false, nil
	}
	next.indexed = next.head
	retained := slices.DeleteFunc(slices.Clone(pairs), func(p pair) bool { return p.position <= l.state.before })
	if len(retained) == 0 {
		return nil, false, nil
	}
	return nil, true, putRun(ids, retained, next.head)
}

// write runs fn in a write transaction. A panic of bbolt in it, which means a damaged file, leaves
// locks behind that nobody can release; nothing is written from then on.
func (l *Log) write(fn func(*bbolt.Tx) error) (err error) {
	if l.broken.Load() || l.unreadable.Load() {
		return errBroken
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			l.broken.Store(true)
			err = fmt.Errorf("%w: %v", persistence.ErrCorrupt, r)
		}
	}()
	return l.update(fn)
}

// transact is what db.Update does, except that nothing is rolled back after a panic: bbolt would look for
// the free pages then, in a file that is damaged and on a goroutine where nobody can catch what comes of it.
func (l *Log) transact(fn func(*bbolt.Tx) error) error {
	tx, err := l.db.Begin(true)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// settle finds out, before the next update, what became of one that failed.
//
// When the sync of the meta page fails, bbolt reports the error but goes on from the new meta page,
// which is in the kernel's cache, perhaps on the disk and perhaps not. The pages that the transaction
// replaced count as free, although the disk may still hold the meta page that needs them and a reader
// may still be visiting them. So nothing may be written to them before a meta page is on the disk for
// sure, which an empty transaction achieves, and before all readers that began earlier have ended.
func (l *Log) settle() error {
	if !l.suspect {
		return nil
	}
	if err := l.write(func(*bbolt.Tx) error { return nil }); err != nil {
		return fmt.Errorf("after a failed append: %w", err)
	}
	l.transactions.Lock()
	l.transactions.Unlock() //nolint:staticcheck // waiting for the readers was all

	known := l.state.head
	var stored []*mercure.Event
	err := l.view(func(tx *bbolt.Tx) (err error) {
		if err = l.loadState(tx); err != nil {
			return err
		}
		stored, _, err = l.readEvents(bucket(tx, eventsBucket), max(known, l.state.before)+1, l.state.head, math.MaxInt)
		return err
	})
	if err != nil {
		return fmt.Errorf("after a failed append: %w", err)
	}
	l.suspect = false
	l.note(stored)
	l.feed.Publish(stored, l.state.extent())
	l.feed.Wake()
	return nil
}
