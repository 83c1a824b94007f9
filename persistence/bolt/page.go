package bolt

import (
	"fmt"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

// page reads a page of retained events from the file.
func (l *Log) page(after uint64, maxBytes int) ([]*mercure.Event, error) {
	for {
		before, head := l.feed.Bounds()
		first := max(after, before) + 1
		if first > head {
			return nil, nil
		}
		var page []*mercure.Event
		var through uint64
		err := l.view(func(tx *bbolt.Tx) (err error) {
			page, through, err = l.readEvents(bucket(tx, eventsBucket), first, head, maxBytes)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read bolt store %s after %d: %w", l.path, after, err)
		}
		if through > 0 {
			return page, nil
		}
		// All of it was removed since the bounds were taken.
	}
}

// readEvents returns the events from the position on, or from the oldest that there is, up to head: at
// least one that can be read, and no more than fit into maxBytes of frames. It tells through which
// position it has looked, or 0 if there was nothing to look at.
func (l *Log) readEvents(events *bbolt.Bucket, from, head uint64, maxBytes int) (page []*mercure.Event, through uint64, err error) {
	var records []persistence.Record
	c := events.Cursor()
	for key, value := c.Seek(positionKey(from)); key != nil; key, value = c.Next() {
		position, err := keyPosition(key)
		if err != nil {
			return nil, 0, err
		}
		if position > head {
			break
		}
		r, err := persistence.ParseRecord(position, value)
		if err != nil {
			l.damage.report(position, err)
			through = position
			continue
		}
		maxBytes -= len(r.Frame())
		if maxBytes < 0 && len(records) > 0 {
			break
		}
		through = position
		records = append(records, r)
	}
	return persistence.RestoreRecords(records, nil), through, nil
}
