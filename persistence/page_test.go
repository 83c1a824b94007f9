package persistence

import (
	"errors"
	"strings"
	"testing"

	"hubd/mercure"
)

// at makes events at the positions.
func at(positions ...uint64) []*mercure.Event {
	var page []*mercure.Event
	for _, position := range positions {
		page = append(page, placed(position-1, 1, 10)...)
	}
	return page
}

func TestCheckPage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name          string
		after, before uint64
		page          []*mercure.Event
		due           string // what the error says, or empty
	}{
		{"nothing", 7, 0, nil, ""},
		{"what follows", 7, 0, at(8, 9, 10), ""},
		{"from the first event on", 0, 0, at(1), ""},
		{"what is left", 7, 12, at(13, 14), ""},
		{"what was left before retention took more", 7, 12, at(10, 11), ""},
		{"not taken yet", 7, 12, at(8, 9), ""},
		{"too late", 7, 0, at(9, 10), "9 comes where 8 is due"},
		{"later than retention explains", 7, 12, at(14), "14 comes where 8 is due"},
		{"a hole", 7, 0, at(8, 9, 11), "11 comes where 10 is due"},
		{"a hole that retention does not explain, within a page", 7, 20, at(8, 10), "10 comes where 9 is due"},
		{"once more", 7, 0, at(8, 8), "8 comes where 9 is due"},
		{"what was asked after", 7, 12, at(7, 8), "7 comes where 8 is due"},
		{"back", 7, 0, at(9, 8), "9 comes where 8 is due"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := CheckPage(tc.page, tc.after, tc.before)
			if tc.due == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrHole) || !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), tc.due) {
				t.Errorf("%v, want ErrHole that passes and says %q", err, tc.due)
			}
		})
	}
}

// A tail that is behind the ring does not go on with a page that has a hole, nor with one that begins too late, unless the
// engine says that retention took what is missing.
func TestTailOfASharedLogStopsAtAHole(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		page   []*mercure.Event
		gone   int // taken by another node's retention, of which this one has not heard
		first  uint64
		refuse bool
	}{
		{"whole", at(1, 2, 3), 0, 1, false},
		{"a hole", at(1, 3), 0, 1, true},
		{"too late", at(2, 3), 0, 1, true},
		{"retention took it", at(2, 3), 1, 2, false},
		{"retention took less", at(3), 1, 2, true},
		{"a hole after what retention took", at(2, 4), 1, 2, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := follow(t, FollowerOptions{})
			f.commit(8)
			if err := f.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.feed.ring.Reset(8) // all of it is behind the ring
			f.remove(tc.gone)
			page := tc.page
			tail, err := f.feed.Tail(0, func() {}, func(uint64, int) ([]*mercure.Event, error) { return page, nil })
			if err != nil {
				t.Fatal(err)
			}
			if tc.refuse {
				if events, err := tail.Next(nil, 1<<20); !errors.Is(err, ErrHole) || len(events) > 0 {
					t.Fatalf("%d events, %v, want ErrHole and none", len(events), err)
				}
				page = at(tc.first, tc.first+1, tc.first+2) // it is tried again, from where it was
			}
			wantRange(t, next(t, tail), tc.first, page[len(page)-1].Position)
		})
	}
}

// Whether retention took what is missing is for the engine to say; while it is away nobody goes on.
func TestTailWaitsForAnEngineThatCouldExplain(t *testing.T) {
	t.Parallel()
	f := follow(t, FollowerOptions{})
	f.commit(4)
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.feed.ring.Reset(4)
	f.change(func() { f.err = ErrUnavailable })
	tail, err := f.feed.Tail(0, func() {}, func(uint64, int) ([]*mercure.Event, error) { return at(3, 4), nil })
	if err != nil {
		t.Fatal(err)
	}
	if events, err := tail.Next(nil, 1<<20); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrHole) || len(events) > 0 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// A page with a hole is shown to nobody, told with its positions, and asked for again until it is whole.
func TestFollowerPublishesNoPageWithAHole(t *testing.T) {
	t.Parallel()
	for name, hidden := range map[string]uint64{"within the page": 4, "at its start": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan error, 16)
			f := follow(t, FollowerOptions{Contacted: func(err error) { told <- err }})
			f.commit(2)
			if err := f.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantRange(t, next(t, f.tail), 1, 2)
			f.change(func() { f.hidden = hidden })
			f.commit(5)
			if err := f.step(); !errors.Is(err, ErrHole) {
				t.Fatalf("the page is followed: %v", err)
			}
			f.Start()
			if err := <-told; !errors.Is(err, ErrHole) || !strings.Contains(err.Error(), "is due") {
				t.Errorf("told %v, want the hole", err)
			}
			if got := next(t, f.tail); len(got) > 0 {
				t.Errorf("positions %v are visible", got)
			}
			if err := f.Refresh(t.Context()); !errors.Is(err, ErrHole) {
				t.Errorf("refresh: %v", err)
			}
			f.change(func() { f.hidden = 0 })
			wantRange(t, f.await(t, 7), 3, 7)
			if err := <-told; err != nil {
				t.Errorf("told %v, want that it passed", err)
			}
		})
	}
}
