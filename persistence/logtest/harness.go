package logtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// pageBytes is larger than any event of the suite and smaller than most of its histories.
const pageBytes = 2048

// stored is what the model knows of an event.
type stored struct {
	time    time.Time
	id      string
	topics  []string
	private bool
	ownID   bool
	frame   []byte
	size    uint64
}

// harness drives one log and the model of it. Every method fails the test when they disagree.
type harness struct {
	*testing.T
	backend Backend
	place   Place
	log     persistence.Log

	now       time.Time
	retention persistence.Retention
	ring      persistence.RingOptions

	events []stored            // all events ever appended; the one at index i has position i+1
	byID   map[string][]uint64 // positions in order
	before uint64
	size   uint64 // of the events after before
}

// newHarness opens a log in a new place.
func newHarness(t *testing.T, b Backend, r persistence.Retention) *harness {
	t.Helper()
	h := &harness{T: t, backend: b, place: b.New(t), retention: r, byID: map[string][]uint64{}, now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	// A ring smaller than most histories, so that the store itself is read from.
	h.ring = persistence.RingOptions{Slots: 8}
	h.open()
	t.Cleanup(func() {
		if err := h.log.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

func (h *harness) open() {
	h.Helper()
	log, err := h.place.Open(Options{Retention: h.retention, Ring: h.ring, Now: func() time.Time { return h.now }})
	if err != nil {
		h.Fatalf("open: %v", err)
	}
	h.log = log
	h.trim()
}

// reopen closes and opens the log.
func (h *harness) reopen() {
	h.Helper()
	if err := h.log.Close(); err != nil {
		h.Fatalf("close: %v", err)
	}
	h.open()
}

// update returns an update whose content follows from n; id may be empty.
func update(n int, id string) *mercure.Update {
	u := &mercure.Update{
		Topics: []string{fmt.Sprintf("https://example.com/items/%d", n)},
		Data:   fmt.Sprintf("item %d\n%s", n, strings.Repeat("x", n*37%257)),
		ID:     id,
	}
	if n%3 == 0 {
		u.Topics = append(u.Topics, "https://example.com/items", "other")
	}
	if n%4 == 0 {
		u.Private, u.Type, u.Retry = true, "change", "250"
	}
	return u
}

// batch returns events with the ids, of which empty ones are made by the log.
func (h *harness) batch(ids ...string) []*mercure.Event {
	batch := make([]*mercure.Event, len(ids))
	for i, id := range ids {
		batch[i] = mercure.NewEvent(update(len(h.events)+i, id))
	}
	return batch
}

// append appends a batch of events with the ids, and checks what the log made of them.
func (h *harness) append(ids ...string) []*mercure.Event {
	h.Helper()
	batch := h.batch(ids...)
	first, err := h.log.Append(batch)
	if err != nil {
		h.Fatalf("append: %v", err)
	}
	h.appended(first, batch, ids)
	return batch
}

// appendMany appends batches of events without ids.
func (h *harness) appendMany(batches, size int) {
	h.Helper()
	for range batches {
		h.append(make([]string, size)...)
	}
}

func (h *harness) appended(first uint64, batch []*mercure.Event, ids []string) {
	h.Helper()
	if want := uint64(len(h.events)) + 1; first != want {
		h.Fatalf("append returned position %d, want %d", first, want)
	}
	for i, e := range batch {
		if want := first + uint64(i); e.Position != want {
			h.Fatalf("event %d of the batch is at %d, want %d", i, e.Position, want)
		}
		if !e.Time.Equal(h.now) {
			h.Fatalf("event %d has time %s, want %s", e.Position, e.Time, h.now)
		}
		if ids[i] != "" && e.ID() != ids[i] || ids[i] == "" && !strings.HasPrefix(e.ID(), "urn:uuid:") {
			h.Fatalf("event %d has id %q, want %q", e.Position, e.ID(), ids[i])
		}
		h.record(e)
	}
	h.trim()
}

// record puts a placed event into the model.
func (h *harness) record(e *mercure.Event) {
	h.events = append(h.events, stored{
		time: e.Time, id: e.ID(), topics: slices.Clone(e.Topics), private: e.Private, ownID: e.OwnID,
		frame: bytes.Clone(e.Frame()), size: uint64(persistence.Size(e)),
	})
	h.byID[e.ID()] = append(h.byID[e.ID()], e.Position)
	h.size += uint64(persistence.Size(e))
}

// trim applies the retention to the model: the shortest prefix is removed that makes the rest comply. None
// of the rest is older than the maximum age, wherever it stands.
func (h *harness) trim() {
	r, expired := h.retention, uint64(0)
	for i := h.before; i < uint64(len(h.events)) && r.MaxAge > 0; i++ {
		if h.now.Sub(h.events[i].time) > r.MaxAge {
			expired = i + 1
		}
	}
	for ; h.before < uint64(len(h.events)); h.before++ {
		rest := h.events[h.before:]
		if h.before >= expired && (r.MaxEvents == 0 || uint64(len(rest)) <= r.MaxEvents) &&
			(r.MaxBytes == 0 || h.size <= r.MaxBytes || len(rest) == 1) {
			return
		}
		h.size -= rest[0].size
	}
}

// check compares the whole log with the model.
func (h *harness) check() {
	h.Helper()
	h.checkBounds()
	h.checkEvents(0, h.readAll(0))
	for i := range h.events {
		h.checkFind(h.events[i].id)
	}
}

func (h *harness) checkBounds() {
	h.Helper()
	if before, head := h.log.Bounds(); before != h.before || head != uint64(len(h.events)) {
		h.Fatalf("bounds are (%d, %d), want (%d, %d)", before, head, h.before, len(h.events))
	}
	want := mercure.Earliest
	if n := len(h.events); n > 0 {
		want = h.events[n-1].id
	}
	if id := h.log.LastID(); id != want {
		h.Fatalf("last id is %q, want %q", id, want)
	}
}

// readAll pages from the position to the head.
func (h *harness) readAll(after uint64) []*mercure.Event {
	h.Helper()
	var all []*mercure.Event
	for {
		page, err := h.log.Read(after, pageBytes)
		if err != nil {
			h.Fatalf("read after %d: %v", after, err)
		}
		if len(page) == 0 {
			return all
		}
		checkPage(h, h.log, page, after, pageBytes)
		all = append(all, page...)
		after = page[len(page)-1].Position
	}
}

// checkPage checks what holds for every page of a log whatever is stored.
func checkPage(t testing.TB, log persistence.Log, page []*mercure.Event, after uint64, maxBytes int) {
	t.Helper()
	if err := contiguous(log, page, after); err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, e := range page {
		size += len(e.Frame())
	}
	if size > maxBytes && len(page) > 1 {
		t.Fatalf("a page of %d events has %d bytes, asked for %d", len(page), size, maxBytes)
	}
}

// checkEvents checks that the events are all that are retained after the position.
func (h *harness) checkEvents(after uint64, events []*mercure.Event) {
	h.Helper()
	after = max(after, h.before)
	if want := len(h.events) - int(after); len(events) != want {
		h.Fatalf("%d events after %d, want %d", len(events), after, want)
	}
	for i, e := range events {
		h.checkEvent(after+uint64(i)+1, e)
	}
}

func (h *harness) checkEvent(position uint64, e *mercure.Event) {
	h.Helper()
	want := h.events[position-1]
	if e.Position != position || !e.Time.Equal(want.time) || !slices.Equal(e.Topics, want.topics) ||
		e.Private != want.private || e.OwnID != want.ownID || e.ID() != want.id || !bytes.Equal(e.Frame(), want.frame) {
		h.Fatalf("event %d is %+v with frame %q, want %+v", position, *e, e.Frame(), want)
	}
}

// checkFind checks Find against the earliest retained event with the id.
func (h *harness) checkFind(id string) {
	h.Helper()
	want := uint64(0)
	if i, _ := slices.BinarySearch(h.byID[id], h.before+1); i < len(h.byID[id]) {
		want = h.byID[id][i]
	}
	position, found, err := h.log.Find(id)
	if err != nil {
		h.Fatalf("find %q: %v", id, err)
	}
	if found != (want > 0) || found && position != want {
		h.Fatalf("find %q is (%d, %t), want %d", id, position, found, want)
	}
}
