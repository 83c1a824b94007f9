package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"hubd/persistence"
)

// Codes of errors of the JetStream API.
const (
	codeWrongLast         = 10071
	codeWrongLastConstant = 10164
	codeIncomplete        = 10176
	codeTooManyInflight   = 10210
	codeNoMessage         = 10037
	codeNoStream          = 10059
	codeNoPeers           = 10005
	codeUnavailable       = 503
)

// apiError is what the server answers instead of doing what was asked.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return e.Description }

// conflict tells that another node appended first.
func (e *apiError) conflict() bool {
	return e.ErrCode == codeWrongLast || e.ErrCode == codeWrongLastConstant
}

// passing tells that nothing was done and that it may work later. A cluster that has just started may take servers for
// offline that are not; one with too few servers for the replicas stays as it is, and has the same code.
func (e *apiError) passing() bool {
	return e.Code == codeUnavailable || e.ErrCode == codeIncomplete || e.ErrCode == codeTooManyInflight ||
		e.ErrCode == codeNoPeers && strings.Contains(e.Description, "offline")
}

// errNoMessage is returned where no message is stored at a position, or none that is asked for.
var errNoMessage = errors.New("no such message is stored")

// failure says what was attempted, on what, and why it failed. Its text holds no secret.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

// failed wraps an error of a call. What the engine or the way to it is to blame for wraps ErrUnavailable.
func (l *Log) failed(attempted string, err error) error {
	if err == nil {
		return nil
	}
	if l.feed.Closed() {
		return persistence.ErrClosed
	}
	err = unavailable(err)
	text := fmt.Sprintf("%s JetStream stream %s at %s: %v", attempted, l.target.stream, l.target.hosts, err)
	return &failure{text: l.target.redact(text), err: err}
}

// unavailable wraps what means that the engine does not answer, or cannot do what it does otherwise.
func unavailable(err error) error {
	var refused *apiError
	switch {
	case errors.Is(err, persistence.ErrUnavailable), errors.Is(err, persistence.ErrNotHubStore), errors.Is(err, persistence.ErrCorrupt):
		return err
	case errors.As(err, &refused):
		if refused.passing() || refused.ErrCode == codeNoStream {
			return fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
		}
		return err
	case errors.Is(err, nats.ErrMaxPayload):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("%w: no answer in time", persistence.ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
}
