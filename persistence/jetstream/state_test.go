package jetstream

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// placed returns placed events after a position, of which every own'th has an id of its publisher.
func placed(after uint64, n, own int) []*mercure.Event {
	events := make([]*mercure.Event, n)
	for i := range events {
		u := &mercure.Update{Topics: []string{"topic"}, Data: strings.Repeat("x", i%100)}
		if own > 0 && i%own == 0 {
			u.ID = fmt.Sprint("own ", i)
		}
		events[i] = mercure.NewEvent(u)
		events[i].Place(after+uint64(i)+1, time.Unix(1000, 5), bytes.Repeat([]byte{'i'}, mercure.IDLen))
	}
	return events
}

func TestMessageRoundTrip(t *testing.T) {
	t.Parallel()
	before := state{sequence: 7, head: 100, before: 3, total: 5000, setback: 5, chosen: 60, time: time.Unix(2000, 0), lastID: "last"}
	events := placed(100, 20, 0)
	want := before.follow(events)
	if want.setback != 8 {
		t.Errorf("a message dated before its predecessor: setback %d, want 8", want.setback)
	}
	got, err := decode(8, want.encode(events))
	if err != nil {
		t.Fatal(err)
	}
	if got.state != want || got.first() != 101 || len(got.records) != 20 {
		t.Errorf("decoded %+v from %d, want %+v", got.state, got.first(), want)
	}
}

func TestChunks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		events []*mercure.Event
		want   int
	}{
		{"one", placed(0, 1, 0), 1},
		{"without ids", placed(0, 300, 0), 1},
		{"more than one message takes", placed(0, 2*messageEvents+1, 0), 3},
		{"ids only", placed(0, 5, 1), 5},
		{"each third has an id", placed(0, 9, 3), 6},
	} {
		parts := chunks(tc.events)
		if len(parts) != tc.want {
			t.Errorf("%s: %d messages, want %d", tc.name, len(parts), tc.want)
		}
		if !slices.Equal(slices.Concat(parts...), tc.events) {
			t.Errorf("%s: the order changed", tc.name)
		}
	}
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	var a anchors
	r := rand.New(rand.NewPCG(1, 2))
	for _, i := range r.Perm(1000) {
		a.add(anchor{uint64(i + 1), uint64(10*i + 1)})
		a.add(anchor{uint64(i + 1), uint64(10*i + 1)})
	}
	if len(a) != 1000 || !slices.IsSortedFunc(a, func(x, y anchor) int { return int(x.sequence) - int(y.sequence) }) {
		t.Fatalf("%d anchors, or out of order", len(a))
	}
	for position := uint64(1); position <= 10_000; position++ {
		low, high := a.around(position)
		want := (position-1)/10 + 1
		if low.sequence != want || want < 1000 && high.sequence != want+1 || want == 1000 && high.sequence != 0 {
			t.Fatalf("around %d: %v and %v", position, low, high)
		}
	}
	a.forget(8000)
	if low, _ := a.around(8001); low.sequence != 801 || len(a) != 200 {
		t.Errorf("after forgetting: %v, %d left", low, len(a))
	}
	for i := range uint64(anchorsMost + 10) {
		a.add(anchor{2000 + i, 20_000 + i})
	}
	if len(a) > anchorsMost {
		t.Errorf("%d anchors, at most %d are kept", len(a), anchorsMost)
	}
}

func FuzzDecode(f *testing.F) {
	s := state{head: 10, sequence: 2}
	events := placed(10, 3, 0)
	s = s.follow(events)
	f.Add(uint64(3), s.encode(events))
	f.Add(uint64(1), []byte{messageVersion, 1, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, sequence uint64, data []byte) {
		m, err := decode(sequence, data)
		if err != nil {
			if !errors.Is(err, persistence.ErrCorrupt) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(m.records) == 0 || m.first() == 0 || m.first() > m.state.head || m.state.before > m.state.head {
			t.Fatalf("decoded %+v with %d records", m.state, len(m.records))
		}
	})
}
