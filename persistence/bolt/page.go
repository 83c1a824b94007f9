package bolt

import (
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"hubd/mercure"
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
	var records []record
	c := events.Cursor()
	for key, value := c.Seek(positionKey(from)); key != nil; key, value = c.Next() {
		position, err := keyPosition(key)
		if err != nil {
			return nil, 0, err
		}
		if position > head {
			break
		}
		r, err := parseRecord(position, value)
		if err != nil {
			l.damage.report(position, err)
			through = position
			continue
		}
		maxBytes -= len(r.frame)
		if maxBytes < 0 && len(records) > 0 {
			break
		}
		through = position
		records = append(records, r)
	}
	return restore(records), through, nil
}

// restore makes the events of records. It copies what they need out of the
// mapping into memory that the events of the page share, so a page costs few allocations; the memory
// lives as long as one of them does.
func restore(records []record) []*mercure.Event {
	listed, framed, count := 0, 0, 0
	for i := range records {
		listed += len(records[i].list)
		framed += len(records[i].frame)
		count += records[i].topics
	}
	var lists strings.Builder
	lists.Grow(listed)
	for i := range records {
		lists.Write(records[i].list)
	}
	text, topics, frames := lists.String(), make([]string, 0, count), make([]byte, 0, framed)

	page := make([]*mercure.Event, len(records))
	for i := range records {
		r := &records[i]
		t, f := len(topics), len(frames)
		topics = r.appendTopics(topics, text[:len(r.list)])
		text = text[len(r.list):]
		frames = append(frames, r.frame...)
		page[i] = mercure.RestoreEvent(r.position, r.time, topics[t:len(topics):len(topics)],
			r.private(), r.own(), r.idLen, frames[f:len(frames):len(frames)])
	}
	return page
}
