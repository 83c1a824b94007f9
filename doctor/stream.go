package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// note is something that happened to a stream: its head came, a line of it, or its end.
type note struct {
	kind noteKind
	// text is the line, without its end.
	text string
	at   time.Time
	err  error
}

type noteKind int

const (
	headCame noteKind = iota
	lineCame
	ended
)

// maxNotes bounds the notes that nobody has taken yet; a reader that is behind waits.
const maxNotes = 1024

// stream is a subscription that one goroutine reads.
type stream struct {
	// notes end with one of the kind ended.
	notes chan note
	// response is set before the note headCame is sent. Its body is the reader's.
	response *http.Response

	// last is when the newest note came that await has taken.
	last time.Time

	cancel context.CancelFunc
	joined chan struct{}
}

// open asks for a stream and returns at once: behind a proxy that buffers, not even the head may come.
func (x *examination) open(ctx context.Context, req *http.Request) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{notes: make(chan note, maxNotes), cancel: cancel, joined: make(chan struct{})}
	go func() {
		defer close(s.joined)
		err := s.read(ctx, x, req.WithContext(ctx))
		s.tell(ctx, note{kind: ended, err: err, at: x.o.Now()})
	}()
	return s
}

func (s *stream) read(ctx context.Context, x *examination, req *http.Request) error {
	res, err := x.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	x.noteDate(res)
	s.response = res
	s.tell(ctx, note{kind: headCame, at: x.o.Now()})
	scanner := bufio.NewScanner(io.LimitReader(res.Body, maxStream))
	scanner.Buffer(nil, 2*bufferPiece)
	for scanner.Scan() {
		s.tell(ctx, note{kind: lineCame, text: scanner.Text(), at: x.o.Now()})
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (s *stream) tell(ctx context.Context, n note) {
	select {
	case s.notes <- n:
	case <-ctx.Done():
	}
}

// errSilent is returned where nothing came for as long as was waited.
var errSilent = errors.New("nothing came")

// await returns the first note that is wanted. The error is errSilent after the patience, or why the stream has ended.
func (s *stream) await(ctx context.Context, patience time.Duration, wanted func(note) bool) (note, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case n := <-s.notes:
			if n.kind != ended {
				s.last = n.at
			}
			if wanted(n) {
				return n, nil
			}
			if n.kind == ended {
				return n, fmt.Errorf("the stream ended: %w", n.err)
			}
		case <-timer.C:
			return note{}, errSilent
		case <-ctx.Done():
			return note{}, ctx.Err()
		}
	}
}

func isHead(n note) bool { return n.kind == headCame }
func isLine(n note) bool { return n.kind == lineCame }

func isComment(n note) bool { return n.kind == lineCame && strings.HasPrefix(n.text, ":") }

func hasData(data string) func(note) bool {
	return func(n note) bool {
		value, found := strings.CutPrefix(n.text, "data:")
		return n.kind == lineCame && found && strings.TrimPrefix(value, " ") == data
	}
}

// close hangs up and waits for the reader.
func (s *stream) close() {
	s.cancel()
	<-s.joined
}
