package deploytest

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// follower is a client that reconnects with its cursor whenever its stream ends, as a browser does.
type follower struct {
	opened chan struct{} // a value for each stream that was opened
	ended  chan struct{} // and for each that ended
	data   chan string
	beats  chan struct{}
	// streams counts the streams that were opened.
	streams atomic.Int64

	cancel context.CancelFunc
	joined chan struct{}
}

func follow(t testing.TB, client *http.Client, url string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{
		opened: make(chan struct{}, 1024), ended: make(chan struct{}, 1024), data: make(chan string, 1024), beats: make(chan struct{}, 1024),
		cancel: cancel, joined: make(chan struct{}),
	}
	go func() {
		defer close(f.joined)
		pause := time.NewTicker(20 * time.Millisecond)
		defer pause.Stop()
		cursor := ""
		for ctx.Err() == nil {
			cursor = f.visit(ctx, client, url, cursor)
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(f.close)
	return f
}

// visit opens a stream and reads it to its end; it returns the cursor.
func (f *follower) visit(ctx context.Context, client *http.Client, url, cursor string) string {
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if cursor != "" {
		req.Header.Set("Last-Event-ID", cursor)
	}
	res, err := client.Do(req)
	if err != nil {
		return cursor
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return cursor
	}
	f.streams.Add(1)
	f.opened <- struct{}{}
	id := ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, ":"):
			select {
			case f.beats <- struct{}{}:
			default:
			}
		case strings.HasPrefix(line, "id: "):
			id = line[len("id: "):]
		case strings.HasPrefix(line, "data: "):
			cursor = id
			f.data <- line[len("data: "):]
		}
	}
	f.ended <- struct{}{}
	return cursor
}

// expect demands that the next update has these data.
func (f *follower) expect(t testing.TB, want string) {
	t.Helper()
	if got := receive(t, f.data, "the update "+want); got != want {
		t.Fatalf("the next update is %q, want %q", got, want)
	}
}

func receive[T any](t testing.TB, from <-chan T, what string) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(hubtest.Patience):
		t.Fatalf("%s did not come", what)
	}
	return got
}

func (f *follower) close() {
	f.cancel()
	<-f.joined
}
