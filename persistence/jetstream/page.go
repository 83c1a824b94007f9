package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// headerPrevious is, in each message of a page, the sequence of the message before it: 0 in the first one. At the end of
// the page it is the sequence of the last one.
const headerPrevious = "Nats-Last-Sequence"

// page asks any server that has the stream for the messages from the sequence on. The server stops after count of
// them, or where their bytes reach maxBytes. There are none where it has none, which may be behind the leader.
//
// Servers send a page as single messages and drop those that nobody waits for. The client waits again after it has lost
// its connection and made another, so a part of a page may be missing, also its beginning. Such a page is taken as far
// as its messages follow one another, and is asked for again where that is not at all.
func (e *engine) page(ctx context.Context, stream string, from uint64, count, maxBytes int) ([]stored, error) {
	request, err := json.Marshal(struct {
		Sequence uint64 `json:"seq"`
		Batch    int    `json:"batch"`
		MaxBytes int    `json:"max_bytes"`
	}{from, count, maxBytes})
	if err != nil {
		return nil, err
	}
	for {
		page, whole, err := e.direct(ctx, stream, request)
		late := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
		if err != nil && !late {
			return nil, err
		}
		if !whole && (!late || len(page) > 0) && e.cut != nil {
			e.cut()
		}
		if whole || len(page) > 0 {
			return page, nil
		}
		pause(ctx, retryPause)
	}
}

// direct asks for a page once, on an inbox of its own. It returns the messages up to the first one that is missing, and
// whether none is. With context.DeadlineExceeded, the messages are those up to one that did not come.
func (e *engine) direct(ctx context.Context, stream string, request []byte) (page []stored, whole bool, err error) {
	inbox := e.nc.NewInbox()
	sub, err := e.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, false, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // a connection that is gone has no subscriptions
	if err := e.nc.PublishRequest(e.prefix+"DIRECT.GET."+stream, inbox, request); err != nil {
		return nil, false, err
	}
	for last := uint64(0); ; {
		m, err := e.next(ctx, sub)
		if err != nil {
			return page, false, err
		}
		status := m.Header.Get(headerStatus)
		switch status {
		case "", statusDone:
		case statusNotFound:
			return page, len(page) == 0, nil
		default:
			return nil, false, &apiError{Code: codeUnavailable, Description: "direct get: status " + status}
		}
		previous, err := strconv.ParseUint(m.Header.Get(headerPrevious), 10, 64)
		if err != nil {
			return nil, false, fmt.Errorf("direct get: %w", err)
		}
		if previous != last || status == statusDone {
			return page, previous == last, nil
		}
		next := stored{Subject: m.Header.Get("Nats-Subject"), Data: m.Data}
		if next.Sequence, err = strconv.ParseUint(m.Header.Get(headerSequence), 10, 64); err != nil {
			return nil, false, fmt.Errorf("direct get: %w", err)
		}
		if next.Time, err = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")); err != nil {
			return nil, false, fmt.Errorf("direct get: %w", err)
		}
		page, last = append(page, next), next.Sequence
	}
}

// next waits for a message, but not longer than for any answer.
func (e *engine) next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, e.again)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}
