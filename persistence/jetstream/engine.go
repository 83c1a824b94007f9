package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of messages.
const (
	headerExpected      = "Nats-Expected-Last-Sequence"
	headerBatch         = "Nats-Batch-Id"
	headerBatchSequence = "Nats-Batch-Sequence"
	headerBatchCommit   = "Nats-Batch-Commit"
	headerSequence      = "Nats-Sequence"
	headerTTL           = "Nats-TTL"
	headerStatus        = "Status"
)

const (
	statusDone     = "204"
	statusNotFound = "404"
)

// engine speaks to the servers: the calls of the JetStream API that the log and its boards need. The client's own
// wrappers of some of them cost a round trip more or ask a replica that may be behind.
type engine struct {
	nc     *nats.Conn
	prefix string // of the API's subjects
	cut    func() // is told of each page that arrived without a part of it; nil where nobody counts them
	// again is how long a question may stay without an answer before it is asked again: one that was on its way when a
	// connection broke has none.
	again time.Duration
}

func newEngine(nc *nats.Conn, domain string, cut func()) *engine {
	e := &engine{nc: nc, prefix: "$JS.API.", cut: cut, again: askAgain}
	if domain != "" {
		e.prefix = "$JS." + domain + ".API."
	}
	return e
}

// info is what the leader of a stream says of it.
type info struct {
	// Time is the leader's clock.
	Time   time.Time `json:"ts"`
	Config struct {
		Replicas    int               `json:"num_replicas"`
		Storage     string            `json:"storage"`
		PersistMode string            `json:"persist_mode"`
		Metadata    map[string]string `json:"metadata"`
	} `json:"config"`
	State struct {
		Messages uint64 `json:"messages"`
		FirstSeq uint64 `json:"first_seq"`
		LastSeq  uint64 `json:"last_seq"`
	} `json:"state"`
}

// stored is a message as a server gives it back.
type stored struct {
	Sequence uint64 `json:"seq"`
	Subject  string `json:"subject"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
	Time     time.Time
}

// header returns a value of the header without parsing the rest.
func (s *stored) header(name string) string {
	_, rest, ok := strings.Cut(string(s.Header), "\r\n"+name+":")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return strings.TrimSpace(value)
}

// call asks the API, until there is an answer: all calls may be made twice. The leader of the stream answers.
func (e *engine) call(ctx context.Context, subject string, request, answer any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	reply, err := e.ask(ctx, subject, body)
	for errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		reply, err = e.ask(ctx, subject, body)
	}
	if err != nil {
		return err
	}
	var refused struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &refused); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if refused.Error != nil {
		return refused.Error
	}
	return json.Unmarshal(reply.Data, answer)
}

// ask asks the API once.
func (e *engine) ask(ctx context.Context, subject string, body []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, e.again)
	defer cancel()
	return e.nc.RequestWithContext(ctx, e.prefix+subject, body)
}

// info asks the leader of a stream for its state.
func (e *engine) info(ctx context.Context, stream string) (info, error) {
	var x info
	err := e.call(ctx, "STREAM.INFO."+stream, nil, &x)
	return x, err
}

// get asks the leader for one message: that at the sequence, or with a subject the first with it from there on.
func (e *engine) get(ctx context.Context, stream string, sequence uint64, subject string) (stored, error) {
	var answer struct {
		Message stored `json:"message"`
	}
	err := e.call(ctx, "STREAM.MSG.GET."+stream, struct {
		Sequence uint64 `json:"seq"`
		Next     string `json:"next_by_subj,omitempty"`
	}{sequence, subject}, &answer)
	return answer.Message, noMessage(err)
}

// last asks the leader for the newest message with the subject.
func (e *engine) last(ctx context.Context, stream, subject string) (stored, error) {
	var answer struct {
		Message stored `json:"message"`
	}
	err := e.call(ctx, "STREAM.MSG.GET."+stream, struct {
		Last string `json:"last_by_subj"`
	}{subject}, &answer)
	return answer.Message, noMessage(err)
}

func noMessage(err error) error {
	var refused *apiError
	if errors.As(err, &refused) && refused.ErrCode == codeNoMessage {
		return errNoMessage
	}
	return err
}

// purge removes the messages before the sequence, of all subjects or of those that match.
func (e *engine) purge(ctx context.Context, stream string, before uint64, subject string) error {
	var answer struct{}
	return e.call(ctx, "STREAM.PURGE."+stream, struct {
		Sequence uint64 `json:"seq,omitempty"`
		Subject  string `json:"filter,omitempty"`
	}{before, subject}, &answer)
}

// publish stores the messages, all or none, if the stream's newest sequence is the one expected, and returns that of the
// last of them. The batch's name must not have been used before.
func (e *engine) publish(ctx context.Context, messages []*nats.Msg, expected uint64, batch string) (uint64, error) {
	last := len(messages) - 1
	for i, m := range messages {
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		if i == 0 {
			m.Header[headerExpected] = []string{strconv.FormatUint(expected, 10)}
		}
		if last > 0 {
			m.Header[headerBatch] = []string{batch}
			m.Header[headerBatchSequence] = []string{strconv.Itoa(i + 1)}
		}
		if i == last {
			break
		}
		if err := e.nc.PublishMsg(m); err != nil {
			return 0, err
		}
	}
	if last > 0 {
		messages[last].Header[headerBatchCommit] = []string{"1"}
	}
	reply, err := e.nc.RequestMsgWithContext(ctx, messages[last])
	if err != nil {
		return 0, err
	}
	var ack struct {
		Sequence uint64    `json:"seq"`
		Error    *apiError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return 0, fmt.Errorf("reading the acknowledgement: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	return ack.Sequence, nil
}
