package actors

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// scanPages bounds how many pages of history that hold nothing for a subscriber are read in its turn.
const scanPages = 16

// replayer reads pages of history for subscribers that are behind. A goroutine has one page under way until the
// subscriber has written it, so live events wait behind a few pages, however many streams catch up. Who waits for
// a page is one entry per subscriber, served first come, first served; a page that needs a store which cannot be
// reached comes when it can be.
type replayer struct {
	log persistence.Log
	// shared is the log if it is one that several hubs have open, whose pages must have no gap; nil otherwise.
	shared    persistence.Shared
	pageBytes int
	// logger is told of holes in the history.
	logger *slog.Logger
	// reply sends the page and returns when the subscriber has run.
	reply func(s *Subscriber, p *page, t *turnstile)

	mu      sync.Mutex
	wake    *sync.Cond
	waiting []*readRequest
	outage  outage
	closed  bool
	done    sync.WaitGroup
}

// readRequest asks for what the subscriber wants of the history after its cursor.
type readRequest struct {
	s *Subscriber
	// after is the cursor.
	after uint64
	// anchored says that the events after the cursor must still be there; a cursor that stood for the
	// beginning of history moves with it.
	anchored bool
	// trial says that the request is to find out whether the store can be reached again.
	trial bool
}

func newReplayer(log persistence.Log, pageBytes int, reply func(*Subscriber, *page, *turnstile)) *replayer {
	r := &replayer{log: log, pageBytes: pageBytes, reply: reply, logger: slog.New(slog.DiscardHandler)}
	r.shared, _ = log.(persistence.Shared)
	r.wake = sync.NewCond(&r.mu)
	return r
}

func (r *replayer) start(workers int) {
	for range workers {
		r.done.Go(r.work)
	}
}

// stop ends the workers; what still waits is not answered.
func (r *replayer) stop() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wake.Broadcast()
	r.done.Wait()
}

func (r *replayer) request(q *readRequest) {
	r.mu.Lock()
	r.waiting = append(r.waiting, q)
	r.mu.Unlock()
	r.wake.Signal()
}

func (r *replayer) work() {
	t := newTurnstile()
	for {
		r.mu.Lock()
		for len(r.waiting) == 0 && !r.closed {
			r.wake.Wait()
		}
		if r.closed {
			r.mu.Unlock()
			return
		}
		q := r.waiting[0]
		r.waiting[0] = nil
		r.waiting = r.waiting[1:]
		kept := r.outage.keeps(q)
		r.mu.Unlock()
		if kept {
			continue
		}
		if p := r.read(q); !r.postpone(q, p) {
			r.reply(q.s, p, t)
		}
	}
}

// postpone reports whether the request found the store out of reach and has to wait.
func (r *replayer) postpone(q *readRequest, p *page) bool {
	away := errors.Is(p.err, persistence.ErrUnavailable)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case away:
		r.outage.failed(q, time.Now())
	case q.trial:
		r.waiting = append(r.waiting, r.outage.over()...)
		r.wake.Broadcast()
	}
	return away
}

// retry tries a store that could not be reached, if it is time to.
func (r *replayer) retry(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q := r.outage.trial(now); q != nil {
		r.waiting = append(r.waiting, q)
		r.wake.Signal()
	}
}

// read makes the page: the first events that the subscriber wants, filtered by what its token grants
// now (invariant I3 holds for history as for live events).
func (r *replayer) read(q *readRequest) *page {
	p := &page{upto: q.after}
	for range scanPages {
		events, err := r.readPage(p.upto)
		if errors.Is(err, persistence.ErrUnavailable) && p.upto > q.after {
			return p // the way to here was none of the store's
		}
		if err != nil {
			p.err = err
			return p
		}
		if before, _ := r.log.Bounds(); before > p.upto {
			if q.anchored {
				p.gap = true
				return p
			}
			p.upto = max(p.upto, before)
			continue
		}
		if len(events) == 0 {
			p.end = true
			return p
		}
		q.anchored = true
		p.upto = events[len(events)-1].Position
		p.events = filter(events, q.s)
		if len(p.events) > 0 {
			return p
		}
	}
	return p
}

// readPage reads a page that goes on after the position. One with a hole is an error that passes, as of a store that is
// away: a stream that went on with it would never get what is missing, and would not know.
func (r *replayer) readPage(after uint64) ([]*mercure.Event, error) {
	events, err := r.log.Read(after, r.pageBytes)
	if err != nil || r.shared == nil {
		return events, err
	}
	if err = persistence.CheckShared(context.Background(), r.shared, events, after); errors.Is(err, persistence.ErrHole) {
		r.logger.Error("the history has a hole, reading it again later", slog.Any("error", err))
	}
	return events, err
}

// filter keeps the events that the subscriber wants and may read. The page belongs to the caller.
func filter(events []*mercure.Event, s *Subscriber) []*mercure.Event {
	kept := events[:0]
	for _, e := range events {
		if s.want.MatchAny(e.Topics) && may(s.grants, e) {
			kept = append(kept, e)
		}
	}
	return kept
}
