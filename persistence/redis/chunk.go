package redis

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"hubd/mercure"
	"hubd/persistence"
)

// A chunk is one entry of the stream: events that one append stored, so many that the cost of an entry hardly counts and
// so few that reading one event of it costs little. Its id is the position of its last event. It holds their records,
// each after its length as a uvarint.
const (
	chunkEvents = 128
	chunkBytes  = 32 << 10
)

// scratchMost is the largest memory for a batch's records that is kept for the next batch.
const scratchMost = 4 << 20

// chunk is what the append script is told of one.
type chunk struct {
	events, frames int    // number, and bytes of the frames
	sizes          string // persistence.Size of each event
	records        string
}

// chunks makes the chunks of a batch in memory that is used again.
type chunks struct {
	buf   []byte // not to be moved while a batch is sent
	sizes []byte
	one   []byte
}

// reset makes room for a batch.
func (c *chunks) reset(batch []*mercure.Event) {
	size := 0
	for _, e := range batch {
		size += binary.MaxVarintLen32 + persistence.RecordCap(e)
	}
	if cap(c.buf) < size || cap(c.buf) > scratchMost {
		c.buf = make([]byte, 0, size)
	}
	c.buf = c.buf[:0]
}

// cut makes a chunk of events from the first on, and returns the rest.
func (c *chunks) cut(batch []*mercure.Event, now time.Time) (chunk, []*mercure.Event) {
	var k chunk
	start := len(c.buf)
	c.sizes = c.sizes[:0]
	for _, e := range batch {
		if k.events == chunkEvents || k.events > 0 && len(c.buf)-start >= chunkBytes {
			break
		}
		c.one = persistence.AppendBlankRecord(c.one[:0], e, now)
		c.buf = append(binary.AppendUvarint(c.buf, uint64(len(c.one))), c.one...)
		c.sizes = append(strconv.AppendInt(c.sizes, int64(persistence.Size(e)), 10), ' ')
		k.frames += len(e.Frame())
		k.events++
	}
	k.sizes, k.records = string(c.sizes), rueidis.BinaryString(c.buf[start:])
	return k, batch[k.events:]
}

// cutRecord reads the first record of a chunk.
func cutRecord(position uint64, text string) (r persistence.Record, rest string, err error) {
	b := []byte(text[:min(len(text), binary.MaxVarintLen64)])
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(text)-size) {
		return r, "", fmt.Errorf("%w: a chunk ends before its last record", persistence.ErrCorrupt)
	}
	end := size + int(n)
	r, err = persistence.ParseRecord(position, []byte(text[size:end]))
	return r, text[end:], err
}
