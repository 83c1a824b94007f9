package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"hubd/mercure"
	"hubd/persistence"
)

// awaitTime is the longest that the engine is asked to wait for events.
const awaitTime = 2 * time.Second

// fillAtOnce is how many events a script makes in place of lost ones.
const fillAtOnce = 1000

// source is the log as its follower sees it.
type source struct{ *Log }

var _ persistence.Source = source{}

// Await implements persistence.Source with XREAD BLOCK on a connection of its own. What it waits for is a stream that
// holds one entry without content, that of the head, and not the events: they are fetched by the page.
//
// The wait ends for this node's own events too. Unless others have come with them, their append makes them visible and
// nothing is to be fetched; so it is awaited.
func (s source) Await(ctx context.Context, after uint64) error {
	// A deadline would make the driver hold the connection until then, whatever becomes of ctx.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(awaitTime+s.timeout, cancel)
	defer late.Stop()
	from, atMost, doubt := s.awaitOf(after)
	if atMost == 0 {
		s.settleDoubts(ctx, after)
		return nil
	}
	for over := time.Now().Add(atMost); ; {
		left := max(time.Until(over).Milliseconds(), 1)
		answer, err := s.engine.client.Do(ctx, s.engine.client.B().Xread().Count(1).Block(left).
			Streams().Key(s.keys.wake).Id(strconv.FormatUint(from, 10)+"-0").Build()).AsXRead()
		if rueidis.IsRedisNil(err) {
			if doubt {
				s.settleDoubts(ctx, after)
			}
			return nil
		}
		if err != nil {
			return s.failed("await events of", unavailable(err))
		}
		came := uint64(0)
		if entries := answer[s.keys.wake]; len(entries) > 0 {
			came = entryPosition(entries[0].ID)
		}
		s.confirmations.woken = came
		if p := s.appending.Load(); p != nil {
			select {
			case <-*p:
			case <-ctx.Done():
			}
		}
		_, head := s.feed.Bounds()
		if came == 0 || head < came || time.Now().After(over) || ctx.Err() != nil {
			return nil
		}
		from = head
	}
}

// entryPosition returns the position that an entry of the stream has, or 0.
func entryPosition(id string) uint64 {
	text, _, _ := strings.Cut(id, "-")
	position, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return position
}

// Fetch implements persistence.Source.
func (s source) Fetch(ctx context.Context, after, upto uint64, maxBytes int) ([]*mercure.Event, persistence.Extent, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// What comes before an own append is confirmed by that.
	events, x, err := s.fetch(ctx, after, upto, maxBytes, upto == 0 && s.engine.replicas > 0)
	if errors.Is(err, errGone) {
		return nil, persistence.Extent{}, nil // it has lost everything; Fill is next
	}
	if err != nil {
		return nil, x, s.failed("read", err)
	}
	return events, x, nil
}

// fetch reads events, on demand without those that the replicas have not confirmed: the extent ends before them then.
func (l *Log) fetch(ctx context.Context, after, upto uint64, maxBytes int, confirmed bool) (events []*mercure.Event, x persistence.Extent, err error) {
	only := ""
	if confirmed {
		only = "1"
	}
	m, err := l.engine.run(ctx, &l.scripts.fetch, []string{l.keys.meta, l.keys.log},
		[]string{l.identity, strconv.FormatUint(after, 10), strconv.FormatUint(upto, 10), strconv.Itoa(maxBytes), only})
	if err != nil {
		return nil, x, err
	}
	if len(m) < 4 || len(m)%3 != 1 {
		return nil, x, errAnswer
	}
	before, err := m[0].AsUint64()
	if err != nil {
		return nil, x, fmt.Errorf("%w: %w", errAnswer, err)
	}
	head, err := m[1].AsUint64()
	if err != nil {
		return nil, x, fmt.Errorf("%w: %w", errAnswer, err)
	}
	last, err := m[2].ToString()
	if err != nil {
		return nil, x, fmt.Errorf("%w: %w", errAnswer, err)
	}
	stored, err := m[3].AsUint64()
	if err != nil {
		return nil, x, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if confirmed {
		l.confirmations.note(head, stored)
	}
	x = extentOf(before, head, last, l.cipher)
	if upto == 0 || upto > head {
		upto = head
	}
	p := page{log: l, next: max(after, before) + 1, upto: upto, left: maxBytes}
	for m = m[4:]; len(m) > 0; m = m[3:] {
		through, err := m[0].AsUint64()
		if err != nil {
			return nil, x, fmt.Errorf("%w: %w", errAnswer, err)
		}
		events, err := m[1].AsUint64()
		if err != nil || events > through {
			return nil, x, fmt.Errorf("%w: %w", errAnswer, err)
		}
		records, err := m[2].ToString()
		if err != nil {
			return nil, x, fmt.Errorf("%w: %w", errAnswer, err)
		}
		if !p.add(through-events+1, through, records) {
			break
		}
	}
	return persistence.RestoreRecords(p.records, l.cipher), x, nil
}

// page is what is gathered from chunks.
type page struct {
	log        *Log
	next, upto uint64 // positions
	left       int    // bytes of frames
	records    []persistence.Record
}

// add adds the events of a chunk. Events without topics stand in for those that cannot be read or are missing, so that
// positions have no gaps. It returns false when the page is full.
func (p *page) add(first, through uint64, chunk string) bool {
	for p.next < first {
		if !p.take(p.log.substitute(p.next, fmt.Errorf("%w: the entry is missing", persistence.ErrCorrupt))) {
			return false
		}
	}
	for position := first; position <= through; position++ {
		r, rest, err := cutRecord(position, chunk)
		chunk = rest
		if position < p.next {
			continue
		}
		if err != nil {
			r = p.log.substitute(position, err)
		}
		if !p.take(r) {
			return false
		}
	}
	return true
}

// take adds the next record, unless the page is full without it.
func (p *page) take(r persistence.Record) bool {
	if p.left -= len(r.Frame()); p.next > p.upto || p.left < 0 && len(p.records) > 0 {
		return false
	}
	if r.OwnID() {
		p.log.hasChosen.Store(true)
	}
	p.records = append(p.records, r)
	p.next++
	return true
}

// substitute returns the record of an event without topics, and reports why it is needed.
func (l *Log) substitute(position uint64, err error) persistence.Record {
	if l.damaged != nil {
		l.damaged(position, err)
	}
	r, err := persistence.ParseRecord(position, fillerRecord(time.Unix(0, 0)))
	if err != nil {
		panic(err) // it was written by this process
	}
	return r
}

func fillerRecord(at time.Time) []byte {
	return persistence.AppendBlankRecord(nil, mercure.NewEvent(&mercure.Update{}), at)
}

// Fill implements persistence.Source. Where the whole store is gone it is made again, with its name and its key and
// nothing in it up to the head.
func (s source) Fill(ctx context.Context, head uint64) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.fill(ctx, head); err != nil {
		return s.failed("pass over lost events of", err)
	}
	return nil
}

func (s source) fill(ctx context.Context, head uint64) error {
	now := s.now()
	blank, record := mercure.NewEvent(&mercure.Update{}), fillerRecord(now)
	record = append(binary.AppendUvarint(nil, uint64(len(record))), record...)
	args := []string{s.identity, strconv.FormatUint(head, 10), strconv.Itoa(fillAtOnce), stamp(now),
		strconv.Itoa(persistence.Size(blank)), strconv.Itoa(len(blank.Frame())), string(record)}
	for {
		m, err := s.engine.run(ctx, &s.scripts.fill, []string{s.keys.meta, s.keys.log, s.keys.wake, s.keys.ages}, args)
		if errors.Is(err, errGone) {
			found, err := s.openStore(ctx, s.identity, s.idKey, head)
			if err == nil && found.store != s.identity {
				err = errOther
			}
			return err
		}
		if err != nil {
			return err
		}
		if reached, err := m[0].AsUint64(); err != nil || reached >= head {
			return err
		}
	}
}
