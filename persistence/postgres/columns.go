package postgres

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hubd/mercure"
	"hubd/persistence"
)

// topicSeparator stands between topics that travel as one text. No topic has a control character in it; see mercure.CheckText.
const topicSeparator = "\n"

// columns are a batch as append takes it: one array for each column. Those that are nil are null in every row.
type columns struct {
	ids     []string
	own     []bool
	private []bool
	topics  []string
	types   []string
	retries []string
	data    []string
	raw     [][]byte
	frames  []int32
	bytes   []int64 // size of the batch up to each event
}

// newColumns takes the batch apart. The ids that the hub makes are those of place.
func newColumns(batch []*mercure.Event) *columns {
	n := len(batch)
	c := &columns{
		ids: make([]string, n), own: make([]bool, n), private: make([]bool, n), topics: make([]string, n),
		data: make([]string, n), frames: make([]int32, n), bytes: make([]int64, n),
	}
	size := int64(0)
	for i, e := range batch {
		size += int64(persistence.Size(e))
		c.own[i], c.private[i], c.frames[i], c.bytes[i] = e.OwnID, e.Private, int32(len(e.Frame())), size
		c.topics[i] = strings.Join(e.Topics, topicSeparator)
		kind, retry, data := fields(e)
		if kind != "" {
			if c.types == nil {
				c.types = make([]string, n)
			}
			c.types[i] = kind
		}
		if retry != "" {
			if c.retries == nil {
				c.retries = make([]string, n)
			}
			c.retries[i] = retry
		}
		if strings.IndexByte(data, 0) >= 0 {
			if c.raw == nil {
				c.raw = make([][]byte, n)
			}
			c.raw[i] = []byte(data)
			continue
		}
		c.data[i] = data
	}
	return c
}

// place takes the ids of the batch, which has been placed.
func (c *columns) place(batch []*mercure.Event) {
	for i, e := range batch {
		c.ids[i] = e.ID()
	}
}

// fields takes a frame apart: what mercure.NewEvent makes an equal frame of. Line ends of the data have become LF in it.
func fields(e *mercure.Event) (kind, retry, data string) {
	rest := e.Frame()[len("id: ")+len(e.IDBytes())+1:]
	kind, rest = cutField(rest, "event: ")
	retry, rest = cutField(rest, "retry: ")
	text := string(rest[len("data: ") : len(rest)-len("\n\n")])
	if strings.IndexByte(text, '\n') >= 0 {
		text = strings.ReplaceAll(text, "\ndata: ", "\n")
	}
	return kind, retry, text
}

// cutField takes a field off the lines, if it is the first.
func cutField(lines []byte, name string) (value string, rest []byte) {
	after, found := bytes.CutPrefix(lines, []byte(name))
	if !found {
		return "", lines
	}
	line, rest, _ := bytes.Cut(after, []byte("\n"))
	return string(line), rest
}

// rowColumns are what scanRow takes.
const rowColumns = "position, nanoseconds, own_id, private, id, topics, type, retry, data, raw"

// row is a row of events.
type row struct {
	position, nanoseconds int64
	own, private          bool
	id                    string
	topics                []string
	kind, retry, data     *string
	raw                   []byte
}

// scanEvents reads the events of rows, and their frames exactly as they were.
func scanEvents(rows pgx.Rows) ([]*mercure.Event, error) {
	var events []*mercure.Event
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.position, &r.nanoseconds, &r.own, &r.private, &r.id, &r.topics, &r.kind, &r.retry, &r.data, &r.raw); err != nil {
			rows.Close()
			return nil, fmt.Errorf("%w: a row of events: %w", persistence.ErrCorrupt, err)
		}
		e, err := r.event()
		if err != nil {
			rows.Close()
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

func (r *row) event() (*mercure.Event, error) {
	u := mercure.Update{Topics: r.topics, Private: r.private, Type: text(r.kind), Retry: text(r.retry), Data: text(r.data)}
	if r.raw != nil {
		u.Data = string(r.raw)
	}
	switch {
	case r.own && r.id != "":
		u.ID = r.id
	case r.own || len(r.id) != mercure.IDLen:
		return nil, fmt.Errorf("%w: event %d has the id %q", persistence.ErrCorrupt, r.position, r.id)
	}
	e := mercure.NewEvent(&u)
	e.Place(uint64(r.position), time.Unix(0, r.nanoseconds), []byte(r.id))
	return e, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
