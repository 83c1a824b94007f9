package actors

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
	"hubd/topics"
)

// holedLog is a Shared log whose pages lack an event, until it is mended. What it says of the history's start is what
// Refresh last brought.
type holedLog struct {
	persistence.Shared
	log *memory.Log

	mu            sync.Mutex
	missing       uint64 // position that no page has, or before which none begins
	late          bool   // pages begin after it
	before, taken uint64 // what Bounds says, and will say after Refresh
}

func (l *holedLog) Read(after uint64, maxBytes int) ([]*mercure.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	page, err := l.log.Read(after, maxBytes)
	var kept []*mercure.Event
	for _, e := range page {
		if e.Position != l.missing && (!l.late || e.Position > l.missing) {
			kept = append(kept, e)
		}
	}
	return kept, err
}

func (l *holedLog) Bounds() (before, head uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, head = l.log.Bounds()
	return l.before, head
}

func (l *holedLog) Refresh(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = l.taken
	return nil
}

// No stream goes on with a page of a shared log that lacks events: it is read again until it is whole, and told of. Where
// another hub's retention took them, the stream learns of the gap.
func TestReplayerReadsAPageWithAHoleAgain(t *testing.T) {
	t.Parallel()
	space, err := topics.NewSpace(topics.Options{BaseURL: "https://hub.example/.well-known/mercure"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(space.Close)
	want, err := space.NewSet([]mercure.Matcher{{Pattern: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		missing uint64
		late    bool
		taken   uint64
		says    string // in the log, or empty where it is no hole
	}{
		{"within the page", 4, false, 0, "5 comes where 4 is due"},
		{"at its start", 2, true, 0, "3 comes where 2 is due"},
		{"retention took it", 2, true, 2, ""},
		{"retention took less", 3, true, 2, "4 comes where 2 is due"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			inner, err := memory.Open(memory.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = inner.Close() })
			batch := make([]*mercure.Event, 6)
			for i := range batch {
				batch[i] = mercure.NewEvent(&mercure.Update{Topics: []string{"a"}})
			}
			if _, err := inner.Append(batch); err != nil {
				t.Fatal(err)
			}
			log := &holedLog{log: inner, missing: tc.missing, late: tc.late, taken: tc.taken}
			r := newReplayer(log, 1<<20, nil)
			var told bytes.Buffer
			r.logger = slog.New(slog.NewTextHandler(&told, nil))
			q := &readRequest{s: &Subscriber{want: want}, after: 1, anchored: true}
			p := r.read(q)
			if tc.says == "" {
				if !p.gap || told.Len() > 0 {
					t.Errorf("the page is %+v, told %q; want a gap and no word", p, told.String())
				}
				return
			}
			if len(p.events) > 0 || p.upto != 1 || !strings.Contains(told.String(), tc.says) {
				t.Errorf("%d events up to %d, told %q; want none and %q", len(p.events), p.upto, told.String(), tc.says)
			}
			if !r.postpone(q, p) {
				t.Fatalf("it is not tried again: %v", p.err)
			}
			log.mu.Lock()
			log.missing, log.late = 0, false
			log.mu.Unlock()
			r.retry(time.Now().Add(2 * maxPause))
			if len(r.waiting) != 1 || r.waiting[0] != q {
				t.Fatal("the trial is not due")
			}
			if log.before = 0; q.after != 1 {
				t.Errorf("it goes on after %d", q.after)
			}
			if p := r.read(q); p.err != nil || len(p.events) != 5 || p.upto != 6 {
				t.Errorf("when it is whole: %d events up to %d, %v", len(p.events), p.upto, p.err)
			}
		})
	}
}
