package persistence

import (
	"context"

	"hubd/mercure"
)

// tail is a place in a feed. It is used by one goroutine at a time, apart from notify, which the
// appender calls.
type tail struct {
	feed   *Feed
	notify func()
	read   func(after uint64, maxBytes int) ([]*mercure.Event, error)
	place  uint64 // position of the last event returned or passed over
}

// Next implements Tail.
func (t *tail) Next(buf []*mercure.Event, maxBytes int) ([]*mercure.Event, error) {
	if t.feed.Closed() {
		return buf, ErrClosed
	}
	x := t.feed.extent.Load()
	n := len(buf)
	for t.place < x.Head {
		var held bool
		if buf, held = t.feed.ring.Read(t.place, x.Head, maxBytes, buf); held {
			break
		}
		// Gone from both the ring and the store: go on with what is left.
		if gone := min(t.feed.ring.Before(), x.Before); gone > t.place {
			t.place = gone
			continue
		}
		page, err := t.read(t.place, maxBytes)
		if err == nil {
			err = t.feed.check(context.Background(), page, t.place)
		}
		if err != nil {
			return buf, err
		}
		buf = append(buf, page...)
		break
	}
	if len(buf) > n {
		t.place = buf[len(buf)-1].Position
	}
	return buf, nil
}

// Close implements Tail.
func (t *tail) Close() { t.feed.remove(t) }
