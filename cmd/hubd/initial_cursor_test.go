package main

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"hubd/internal/hubtest"
	"hubd/mercure"
)

// A stream without a cursor has one before its first event, so that being cut off at once loses nothing (I1, I2).
func TestInitialCursor(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--initial-cursor")
	query := "topic=" + enc(topic)
	if got := firstID(t, p, query); got != mercure.Earliest {
		t.Errorf("on a hub without history a stream begins with id %q", got)
	}
	p.Subscribe(t, query, "Last-Event-ID", mercure.Earliest).Close()

	before := p.PublishData(t, topic, "before")
	cursor := firstID(t, p, query)
	if cursor != before {
		t.Errorf("a stream begins with id %q, want that of the newest update, %q", cursor, before)
	}
	p.PublishData(t, topic, "while it was away")
	s := p.Subscribe(t, query, "Last-Event-ID", cursor)
	s.Expect(t, "while it was away")

	// A stream that brings its own cursor keeps that.
	if got := firstID(t, p, query+"&lastEventID="+enc(cursor)); got == cursor {
		t.Error("a stream with a cursor is given another")
	}
}

// Without the flag nothing comes before the first event: not every client knows that an id alone is none.
func TestNoInitialCursor(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	p.PublishData(t, topic, "before")
	lines := streamLines(t, p, "topic="+enc(topic))
	live := p.PublishData(t, topic, "live")
	if got := nextID(t, lines); got != live {
		t.Errorf("the first id is %q, want that of the update, %q", got, live)
	}
}

// firstID is the first id field of a stream.
func firstID(t *testing.T, p *hubtest.Process, query string) string {
	t.Helper()
	return nextID(t, streamLines(t, p, query))
}

// streamLines opens a stream, which ends with the test.
func streamLines(t *testing.T, p *hubtest.Process, query string) *bufio.Scanner {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = response.Body.Close()
	})
	return bufio.NewScanner(response.Body)
}

func nextID(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		if id, found := strings.CutPrefix(lines.Text(), "id: "); found {
			return id
		}
	}
	t.Fatal("the stream has no id")
	return ""
}
