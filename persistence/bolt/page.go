package bolt

import (
	"fmt"

	"go.etcd.io/bbolt"

	"hubd/mercure"
)

// page reads a page of retained events from the file. The records are copied out of the mapping into
// one piece of memory, which lives as long as one of the events does.
func (l *Log) page(after uint64, maxBytes int) ([]*mercure.Event, error) {
	for {
		before, head := l.feed.Bounds()
		first := max(after, before) + 1
		if first > head {
			return nil, nil
		}
		var records []record
		err := l.view(func(tx *bbolt.Tx) (err error) {
			first, records, err = copyRecords(bucket(tx, eventsBucket), first, head, maxBytes)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read bolt store %s after %d: %w", l.path, after, err)
		}
		if len(records) > 0 {
			return restore(first, records), nil
		}
		// All of it was removed since the bounds were taken.
	}
}

// copyRecords returns records from the position on, or from the oldest that there is, up to head: at
// least one, and no more than fit into maxBytes of frames.
func copyRecords(events *bbolt.Bucket, from, head uint64, maxBytes int) (first uint64, records []record, err error) {
	size := 0
	c := events.Cursor()
	for key, value := c.Seek(positionKey(from)); key != nil; key, value = c.Next() {
		position, err := keyPosition(key)
		if err != nil {
			return 0, nil, err
		}
		if position > head {
			break
		}
		r, err := parseRecord(value)
		if err != nil {
			return 0, nil, fmt.Errorf("record %d: %w", position, err)
		}
		maxBytes -= len(r.frame)
		if maxBytes < 0 && len(records) > 0 {
			break
		}
		if len(records) == 0 {
			first = position
		}
		records = append(records, r)
		size += len(r.list) + len(r.frame)
	}
	copied := make([]byte, 0, size)
	for i := range records {
		r := &records[i]
		at := len(copied)
		copied = append(append(copied, r.list...), r.frame...)
		r.list = copied[at : at+len(r.list)]
		r.frame = copied[at+len(r.list):]
	}
	return first, records, nil
}

// restore makes the events of records that follow one another.
func restore(first uint64, records []record) []*mercure.Event {
	events := make([]*mercure.Event, len(records))
	for i := range records {
		events[i] = records[i].event(first + uint64(i))
	}
	return events
}
