package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hubd/config"
	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/bolt"
	"hubd/persistence/memory"
)

// history returns all that a store holds, as text.
func history(t *testing.T, s config.Store) (lines []string) {
	t.Helper()
	log, err := openCopied(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	before, head := log.Bounds()
	for after := before; after < head; {
		page, err := log.Read(after, 1<<20)
		if err != nil || len(page) == 0 {
			t.Fatalf("%d events, %v", len(page), err)
		}
		for _, e := range page {
			lines = append(lines, fmt.Sprintf("%q %t %s", e.Topics, e.Private, e.Frame()))
			if position, found, err := log.Find(e.ID()); err != nil || !found || position != e.Position {
				t.Errorf("event %d with id %q is found at %d, %t, %v", e.Position, e.ID(), position, found, err)
			}
		}
		after = page[len(page)-1].Position
	}
	return lines
}

// fill stores updates in a new bolt file, the first of which retention has removed, and returns the file's URL.
func fill(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "from.db")
	log, err := bolt.Open(bolt.Options{Path: path, Retention: persistence.Retention{MaxEvents: 250}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		u := &mercure.Update{Topics: []string{topic, fmt.Sprint(i)}, Data: fmt.Sprint(i), Private: i%7 == 0}
		if i%10 == 0 {
			u.ID = fmt.Sprint("chosen ", i)
		}
		if _, err := log.Append([]*mercure.Event{mercure.NewEvent(u)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return "bolt://" + path
}

// A history goes from a file to each engine and back, with its order and its ids: cursors of clients lead where they did.
func TestStoreCopyCommand(t *testing.T) {
	onEngines(t, func(t *testing.T, e *sharedEngine) {
		from := fill(t)
		want := history(t, config.NewStore(from))
		code, stdout, stderr := command([]string{"store", "copy", from, e.url}, nil)
		if code != 0 || !strings.HasPrefix(stdout, "copied: 250 updates\nfirst: ") || !regexp.MustCompile(`\ndigest: [0-9a-f]{64}\n$`).MatchString(stdout) {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		if got := history(t, config.NewStore(e.url)); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("the copy has %d updates, want the %d", len(got), len(want))
		}
		// What has something is not written to.
		if code, _, stderr := command([]string{"store", "copy", from, e.url}, nil); code != 1 || !strings.Contains(stderr, "only an empty store") {
			t.Errorf("a copy to a store with updates: exit code %d: %s", code, stderr)
		}
		// A hub goes on with the copy.
		p := e.nodes(t, 1)[0]
		page := strings.Split(want[100], "\n")
		cursor := strings.TrimPrefix(page[0][strings.Index(page[0], "id: "):], "id: ")
		s := p.Subscribe(t, "topic="+enc(topic), "Last-Event-ID", cursor)
		if got := s.Header.Get("Last-Event-ID"); got != cursor {
			t.Errorf("the cursor %q is answered with %q", cursor, got)
		}
		s.Close()
		p.Stop(t)
		back := filepath.Join(t.TempDir(), "back.db")
		if code, again, stderr := command([]string{"store", "copy", e.url, back}, nil); code != 0 || again != stdout {
			t.Errorf("the way back: exit code %d\n%s%s, want\n%s", code, again, stderr, stdout)
		}
	})
}

// A server that was started just now may not answer yet.
func TestStoreCopyWaitsForTheServer(t *testing.T) {
	t.Parallel()
	store, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	attempts := 0
	log, err := answered(t.Context(), func() (persistence.Log, error) {
		if attempts++; attempts == 1 {
			return nil, fmt.Errorf("dialling: %w", persistence.ErrUnavailable)
		}
		return store, nil
	})
	if err != nil || log != store || attempts != 2 {
		t.Errorf("%v, %v after %d attempts", log, err, attempts)
	}
	if _, err := answered(t.Context(), func() (persistence.Log, error) { return nil, persistence.ErrNotHubStore }); !errors.Is(err, persistence.ErrNotHubStore) {
		t.Errorf("a store that is none: %v", err)
	}
}

func TestStoreCopyRefuses(t *testing.T) {
	t.Parallel()
	from := fill(t)
	for name, test := range map[string]struct {
		args []string
		code int
		text string
	}{
		"one store":             {[]string{from}, 2, ""},
		"memory":                {[]string{from, "memory://"}, 2, "no store to copy"},
		"password":              {[]string{from, "ftp://user:" + secret + "@host"}, 2, "no store to copy"},
		"source that is absent": {[]string{filepath.Join(t.TempDir(), "none.db"), filepath.Join(t.TempDir(), "to.db")}, 1, "no such file"},
		"target that is away":   {[]string{from, "redis://user:" + secret + "@127.0.0.1:1"}, 1, "copy to redis://127.0.0.1:1"},
	} {
		code, stdout, stderr := command(append([]string{"store", "copy"}, test.args...), nil)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.text) || strings.Contains(stderr, secret) {
			t.Errorf("%s: exit code %d: %s", name, code, stderr)
		}
	}
}

// A copy that differs is noticed.
func TestSummary(t *testing.T) {
	t.Parallel()
	event := func(u mercure.Update) *mercure.Event {
		u.ID = "x"
		return mercure.NewEvent(&u)
	}
	base := mercure.Update{Topics: []string{"a", "b"}, Data: "d"}
	summary := func(events ...*mercure.Event) *summary {
		s := newSummary()
		for _, e := range events {
			s.add(e)
		}
		return s
	}
	if !summary(event(base)).equal(summary(event(base))) {
		t.Error("equal histories differ")
	}
	for name, other := range map[string]mercure.Update{
		"topics":  {Topics: []string{"ab"}, Data: "d"},
		"order":   {Topics: []string{"b", "a"}, Data: "d"},
		"data":    {Topics: []string{"a", "b"}, Data: "e"},
		"private": {Topics: []string{"a", "b"}, Data: "d", Private: true},
	} {
		if summary(event(base)).equal(summary(event(other))) {
			t.Errorf("histories that differ in %s are equal", name)
		}
	}
	if summary(event(base)).equal(summary(event(base), event(base))) {
		t.Error("histories of different lengths are equal")
	}
}
