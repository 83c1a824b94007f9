package bolt

import (
	"fmt"

	"go.etcd.io/bbolt"

	"hubd/persistence"
)

// Find implements persistence.Log.
//
// An id that this store made leads to its position by itself. A publisher may choose any id, such a
// one and one used before included, and of all events with the id the earliest counts. A record that
// cannot be read cannot deny an id that leads to it; a stream that resumes from there misses nothing.
func (l *Log) Find(id string) (uint64, bool, error) {
	if l.feed.Closed() {
		return 0, false, persistence.ErrClosed
	}
	before, head := l.feed.Bounds()
	made, isMade := l.cipher.Position(id)
	isMade = isMade && made > before && made <= head
	// Before the transaction: pairs that leave recent are in a run by then.
	recent := *l.recent.Load()
	if len(recent) == 0 && !l.runs.Load() {
		if !isMade {
			return 0, false, nil
		}
		if e := l.feed.At(made); e != nil {
			return made, !e.OwnID, nil
		}
	}
	digest := l.digester.digest([]byte(id))
	var position uint64
	found := false
	err := l.view(func(tx *bbolt.Tx) (err error) {
		events := bucket(tx, eventsBucket)
		position, found, err = l.findChosen(events, bucket(tx, idsBucket), recent, id, digest, before, head)
		if err != nil || !isMade || found && position < made {
			return err
		}
		value := events.Get(positionKey(made))
		if value == nil {
			return nil
		}
		r, err := persistence.ParseRecord(made, value)
		if err != nil {
			l.damage.report(made, err)
		}
		if err != nil || !r.OwnID() {
			position, found = made, true
		}
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("find in bolt store %s: %w", l.path, err)
	}
	return position, found, nil
}

// findChosen returns the earliest event within (before, head] whose publisher chose the id.
func (l *Log) findChosen(events, ids *bbolt.Bucket, recent []pair, id string, digest, before, head uint64) (uint64, bool, error) {
	for after := before; ; {
		position, found, err := findInRuns(ids, digest, after)
		if err != nil {
			return 0, false, err
		}
		if !found {
			position, found = findInPairs(recent, digest, after)
		}
		if !found || position > head {
			return 0, false, nil
		}
		if value := events.Get(positionKey(position)); value != nil {
			r, err := persistence.ParseRecord(position, value)
			if err != nil {
				l.damage.report(position, err)
				return position, true, nil
			}
			if r.OwnID() && string(r.ID()) == id {
				return position, true, nil
			}
		}
		after = position // another id with this digest, or removed since
	}
}
