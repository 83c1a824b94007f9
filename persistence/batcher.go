package persistence

import (
	"fmt"
	"time"

	"hubd/mercure"
)

// batcher is the state of the persistence actor and its transitions. One goroutine at a time uses it.
type batcher struct {
	log       Log
	health    *health
	observer  Observer
	now       func() time.Time
	maxEvents int
	maxBytes  int
	probed    func() // called for each request without an event

	// Gathered for the next append.
	requests []*request
	events   []*mercure.Event
	bytes    int

	answered int // requests that the last append answered
}

// add gathers a request. It appends what is gathered if the request is the last there is for now, or
// if the batch is full.
func (b *batcher) add(r *request, last bool) {
	if err := b.health.err(); err != nil && !r.trial {
		b.answer(r, err) // it was sent before the failure
	} else {
		b.requests = append(b.requests, r)
		if r.event != nil {
			b.events = append(b.events, r.event)
			b.bytes += Size(r.event)
		}
	}
	if last || len(b.requests) >= b.maxEvents || b.bytes >= b.maxBytes {
		b.flush()
	}
}

// expectsMore tells whether the batch, with one request more, is smaller than the last.
func (b *batcher) expectsMore() bool { return len(b.requests)+1 < b.answered }

// flush appends what is gathered and answers everyone.
func (b *batcher) flush() {
	if len(b.requests) == 0 {
		return
	}
	start := b.now()
	err := b.append()
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
		if b.health.fail(err) {
			b.observer.Failing(err)
		}
	} else if b.health.recover() {
		b.observer.Failing(nil)
	}
	for _, r := range b.requests {
		b.answer(r, err)
	}
	if err == nil && len(b.events) > 0 {
		b.observer.Commit(b.now().Sub(start), len(b.events))
	}
	b.answered = len(b.requests)
	clear(b.requests)
	clear(b.events)
	b.requests, b.events, b.bytes = b.requests[:0], b.events[:0], 0
}

// append calls the log. A panic in a back end is a failure like any other: the actor must not be
// restarted while publishers wait for it.
func (b *batcher) append() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the store panicked: %v", r)
		}
	}()
	_, err = b.log.Append(b.events)
	return err
}

func (b *batcher) answer(r *request, err error) {
	if r.event == nil {
		b.probed()
		return
	}
	r.done <- err
}
