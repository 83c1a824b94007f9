package redis

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// Waits before a batch is sent again.
const (
	firstPause = 5 * time.Millisecond
	mostPause  = 250 * time.Millisecond
)

// digestLen is the length of an id in the index. No two ids with the same digest can be made.
const digestLen = 20

// Append implements persistence.Log.
func (l *Log) Append(batch []*mercure.Event) (uint64, error) {
	first, err := l.append(batch)
	if err != nil {
		return 0, l.failed("append to", err)
	}
	return first, nil
}

func (l *Log) append(batch []*mercure.Event) (uint64, error) {
	ctx, end, err := l.begin(l.ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	done := make(chan struct{})
	l.appending.Store(&done)
	defer close(done)

	now, retention := l.now(), l.retention
	if len(batch) == 0 {
		retention = persistence.Retention{}
	}
	a, err := l.commit(batch, now, retention)
	if err != nil {
		return 0, err
	}
	if len(batch) == 0 {
		return a.head + 1, l.follower.CatchUp(ctx, a.head)
	}
	return a.first, l.follower.Appended(ctx, batch, a.extent(l.cipher))
}

// store stores a batch and places its events.
func (l *Log) store(batch []*mercure.Event, now time.Time, r persistence.Retention) (answer, error) {
	a, err := l.send(l.arguments(batch, now, r))
	if err != nil {
		l.chunks, l.args = chunks{}, nil // the driver may not be done with them
		return a, err
	}
	for i, e := range batch {
		l.id = l.cipher.Append(l.id[:0], a.first+uint64(i))
		e.Place(a.first+uint64(i), now, l.id)
	}
	return a, nil
}

// arguments returns those of the append script for a batch that no earlier arguments were for.
func (l *Log) arguments(batch []*mercure.Event, now time.Time, r persistence.Retention) []string {
	l.sequence++
	threshold := ""
	if r.MaxAge > 0 {
		threshold = stamp(now.Add(-r.MaxAge))
	}
	lastID := ""
	if n := len(batch); n > 0 && batch[n-1].OwnID {
		lastID = batch[n-1].ID()
	}
	_, head := l.feed.Bounds()
	args := append(l.args[:0], l.identity, strconv.FormatUint(l.sequence, 10), strconv.FormatUint(head, 10), stamp(now), threshold,
		strconv.FormatUint(min(r.MaxEvents, math.MaxInt64), 10), strconv.FormatUint(min(r.MaxBytes, math.MaxInt64), 10), lastID)

	l.chunks.reset(batch)
	later := ""
	if l.engine.replicas > 0 {
		later = "1"
	}
	args = append(args, strconv.Itoa(len(batch)), "", later)
	count := len(args) - 2
	chunks := 0
	for rest := batch; len(rest) > 0; chunks++ {
		var c chunk
		c, rest = l.chunks.cut(rest, now)
		args = append(args, strconv.Itoa(c.events), strconv.Itoa(c.frames), c.sizes, c.records)
	}
	args[count] = strconv.Itoa(chunks)
	for i, e := range batch {
		if e.OwnID {
			l.hasChosen.Store(true)
			args = append(args, strconv.Itoa(i+1), digestOf(e.IDBytes()))
		}
	}
	l.args = args
	return args
}

func digestOf(id []byte) string {
	sum := sha256.Sum256(id)
	return string(sum[:digestLen])
}

// stamp writes a time so that stamps compare as times do.
func stamp(t time.Time) string { return fmt.Sprintf("%020d", uint64(t.UnixNano())^1<<63) }

// answer is that of the append script.
type answer struct {
	first, before, head uint64
	last                string
}

// extent is that of the engine after the append.
func (a *answer) extent(ids *persistence.IDCipher) persistence.Extent {
	return extentOf(a.before, a.head, a.last, ids)
}

// extentOf makes an extent of what scripts tell: the last id is empty where it follows from the head.
func extentOf(before, head uint64, last string, ids *persistence.IDCipher) persistence.Extent {
	if last == "" && head > 0 {
		last = string(ids.Append(nil, head))
	}
	return persistence.Extent{Before: before, Head: head, LastID: last}
}

// send runs the append script until the engine has answered or the time is over. The batch is stored once however often
// it is sent, and not after the next batch was: its sequence number is stored with it.
func (l *Log) send(args []string) (answer, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.timeout)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		a, err := l.transmit(ctx, args)
		switch {
		case err == nil:
			return a, nil
		case errors.Is(err, errBehind):
			err = l.refill(ctx, a.head)
		case errors.Is(err, errGone):
			err = l.refill(ctx, 0)
		case !errors.Is(err, persistence.ErrUnavailable), errors.Is(err, errOther):
			return a, err
		}
		if err == nil {
			continue
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return a, err
		}
	}
}

// refill makes events that were lost take their positions, which other nodes and clients know.
func (l *Log) refill(ctx context.Context, have uint64) error {
	_, head := l.feed.Bounds()
	if l.lost != nil && head > have {
		l.lost(have, head)
	}
	return source{l}.Fill(ctx, head)
}

// transmit runs the append script once, and has it known where replicas have confirmed what it stored. They are the
// writer's newest append, which no other engine than this has.
func (l *Log) transmit(ctx context.Context, args []string) (a answer, err error) {
	k := &l.keys
	m, err := l.engine.run(ctx, &l.scripts.append, []string{k.meta, k.log, k.wake, k.ids, k.chosen, k.ages, k.writer}, args)
	if errors.Is(err, errBehind) && len(m) == 2 {
		head, _ := m[1].AsUint64()
		return answer{head: head}, err
	}
	if err != nil {
		return a, err
	}
	if len(m) != 4 {
		return a, errAnswer
	}
	for i, to := range []*uint64{&a.first, &a.before, &a.head} {
		if *to, err = m[i].AsUint64(); err != nil {
			return a, fmt.Errorf("%w: %w", errAnswer, err)
		}
	}
	if a.last, err = m[3].ToString(); err != nil {
		return a, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if l.engine.replicas == 0 {
		return a, nil
	}
	return a, l.confirm(ctx, k.writer, fmt.Sprint(args[1], " ", a.first), a.head, a.last)
}
