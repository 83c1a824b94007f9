package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"hubd/internal/hubtest/engines"
	"hubd/mercure"
	"hubd/persistence"
)

// patience is how long a test waits for what must happen. It is no expectation of speed.
const patience = 60 * time.Second

func event(id string) *mercure.Event {
	return mercure.NewEvent(&mercure.Update{Topics: []string{"https://example.com/t"}, ID: id, Data: "data of " + id})
}

// mustAppend appends events with the ids and returns the position of the first.
func mustAppend(t testing.TB, log *Log, ids ...string) uint64 {
	t.Helper()
	batch := make([]*mercure.Event, len(ids))
	for i, id := range ids {
		batch[i] = event(id)
	}
	first, err := log.Append(batch)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come to hold", what)
		}
		pause(t.Context(), 2*time.Millisecond)
	}
}

// positions reads the whole history through a log, and returns the position of each id, which must be there once.
func positions(t testing.TB, log *Log) map[string]uint64 {
	t.Helper()
	at := map[string]uint64{}
	for after := uint64(0); ; {
		page, err := log.Read(after, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return at
		}
		for _, e := range page {
			if e.Position != after+1 {
				t.Fatalf("event %d follows %d", e.Position, after)
			}
			if at[e.ID()] != 0 {
				t.Fatalf("%q is stored at %d and at %d", e.ID(), at[e.ID()], e.Position)
			}
			after, at[e.ID()] = e.Position, e.Position
		}
	}
}

// Two nodes append while the server is killed, and while it is restarted in the orderly way: what was acknowledged is there,
// once and where it was said to be; what was not is there at most once.
func TestServerEndsUnderAppends(t *testing.T) {
	t.Parallel()
	s := engines.StartPostgres(t)
	p := newPlaceOn(t, s)
	logs := []*Log{p.mustOpen(t, Options{}), p.mustOpen(t, Options{})}
	var mu sync.Mutex
	acknowledged := map[string]uint64{}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for node, log := range logs {
		work.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				batch := []*mercure.Event{event(fmt.Sprintf("%d/%d/a", node, i)), event(fmt.Sprintf("%d/%d/b", node, i))}
				first, err := log.Append(batch)
				if err != nil && !errors.Is(err, persistence.ErrUnavailable) {
					t.Errorf("append: %v", err)
				}
				if err != nil {
					continue
				}
				mu.Lock()
				acknowledged[batch[0].ID()], acknowledged[batch[1].ID()] = first, first+1
				mu.Unlock()
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged)
	}
	for _, end := range []func(){s.Kill, s.Shutdown, s.Kill} {
		before := count()
		eventually(t, "progress", func() bool { return count() > before+20 })
		end()
		s.Restart(t)
	}
	before := count()
	eventually(t, "progress", func() bool { return count() > before+20 })
	close(stop)
	work.Wait()
	for _, log := range logs {
		if _, err := log.Append(nil); err != nil {
			t.Fatal(err)
		}
		at := positions(t, log)
		for id, position := range acknowledged {
			if at[id] != position {
				t.Fatalf("%s was acknowledged at %d and is at %d", id, position, at[id])
			}
		}
	}
}

// A server that hangs costs an append no more than its time, and what it had received then is not doubled afterwards.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	s := engines.StartPostgres(t)
	p := newPlaceOn(t, s)
	p.mustOpen(t, Options{}) // makes the schema, which may take longer
	p.timeout = time.Second
	log, closed := p.mustOpen(t, Options{}), p.mustOpen(t, Options{})
	mustAppend(t, log, "before")
	eventually(t, "the first event", func() bool { _, head := closed.Bounds(); return head == 1 })
	s.Pause()
	if err := closed.Close(); err != nil || closed.dialer.count() > 0 {
		t.Fatalf("close while the server hangs: %v, %d connections are open", err, closed.dialer.count())
	}
	for i := range 2 {
		_, err := log.Append([]*mercure.Event{event("hung " + strconv.Itoa(i))})
		if !errors.Is(err, persistence.ErrUnavailable) {
			t.Fatalf("append to a server that hangs: %v", err)
		}
	}
	if page, err := log.Read(0, 1000); err != nil || len(page) != 1 {
		t.Fatalf("read from memory while the server hangs: %d, %v", len(page), err)
	}
	s.Continue()
	eventually(t, "an append", func() bool { _, err := log.Append(nil); return err == nil })
	last := mustAppend(t, log, "after")
	if at := positions(t, log); at["before"] != 1 || at["after"] != last {
		t.Fatalf("stored are %v", at)
	}
}

// waits tells whether the server process waits for a lock.
func waits(t testing.TB, pid uint32) bool {
	t.Helper()
	return server.SQL(t, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND wait_event_type = 'Lock'", pid)) == "1"
}

// holdHead takes hold of the head as a node does that appends, until the function is called.
func holdHead(t testing.TB, log *Log) (s *session, release func()) {
	t.Helper()
	s, err := log.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.end(s) })
	if _, err := s.Exec(t.Context(), "BEGIN; "+log.lock); err != nil {
		t.Fatal(err)
	}
	return s, func() {
		if _, err := s.Exec(t.Context(), "COMMIT"); err != nil {
			t.Fatal(err)
		}
	}
}

// The server process that appends for a node is terminated while it waits for its turn: the append goes on with another.
func TestBackendIsTerminatedInMidAppend(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	log, other := p.mustOpen(t, Options{}), p.mustOpen(t, Options{})
	mustAppend(t, log, "first")
	_, release := holdHead(t, other)
	done := make(chan error, 1)
	pid := log.pid.Load()
	go func() {
		_, err := log.Append([]*mercure.Event{event("second"), event("third")})
		done <- err
	}()
	eventually(t, "the wait for the head", func() bool { return waits(t, pid) })
	server.SQL(t, "postgres", fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	eventually(t, "another process", func() bool { now := log.pid.Load(); return now != 0 && now != pid && waits(t, now) })
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if at := positions(t, log); len(at) != 3 || at["third"] != 3 {
		t.Fatalf("stored are %v", at)
	}
}

// The connection breaks after the commit and before the answer: the next attempt finds out and stores nothing.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	log, other := p.mustOpen(t, Options{}), p.mustOpen(t, Options{})
	for round := range 3 {
		lost := false
		log.store = func(ctx context.Context, c *batchCall) (result, error) {
			x, err := log.attempt(ctx, c)
			if !lost && err == nil {
				lost = true
				log.dropWriter()
				mustAppend(t, other, fmt.Sprint("other ", round)) // and another node goes on
				return result{}, fmt.Errorf("%w: reset by peer", persistence.ErrUnavailable)
			}
			return x, err
		}
		first := mustAppend(t, log, fmt.Sprint("a ", round), fmt.Sprint("b ", round))
		if want := uint64(round*3 + 1); first != want {
			t.Fatalf("append returned %d, want %d", first, want)
		}
	}
	at := positions(t, other)
	if len(at) != 9 || at["b 2"] != 8 || at["other 2"] != 9 {
		t.Fatalf("stored are %v", at)
	}
}

// A batch whose node gave it up cannot be stored any more once the node has settled the matter, even if the server gets round
// to it only then.
func TestLateBatchIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	log := p.mustOpen(t, Options{})
	mustAppend(t, log, "first")
	var late *batchCall
	log.store = func(_ context.Context, c *batchCall) (result, error) { late = c; return result{}, errFault }
	if _, err := log.Append([]*mercure.Event{event("late")}); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	log.store = nil
	if next, err := log.Append(nil); err != nil || next != 2 {
		t.Fatalf("append of nothing: %d, %v", next, err)
	}
	s, err := log.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer log.end(s)
	log.placeAt(late, 2)
	if x, err := log.call(t.Context(), s, late); err != nil || x.stored {
		t.Fatalf("the late batch: %+v, %v", x, err)
	}
	if at := positions(t, log); len(at) != 1 {
		t.Fatalf("stored are %v", at)
	}
}

// Notifications alone bring other nodes' events: nobody looks for them here before the test is long over.
func TestNotificationsWake(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	first, second := p.mustOpen(t, Options{await: time.Hour}), p.mustOpen(t, Options{await: time.Hour})
	for i := range 20 {
		mustAppend(t, []*Log{first, second}[i%2], strconv.Itoa(i))
		for _, log := range []*Log{first, second} {
			eventually(t, "the event", func() bool { _, head := log.Bounds(); return head == uint64(i)+1 })
		}
	}
}

// A node is slow to commit: nobody gets a position after its own until it has, and no reader passes over it.
func TestLateCommitIsNotSkipped(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	slow, quick, reader := p.mustOpen(t, Options{}), p.mustOpen(t, Options{}), p.mustOpen(t, Options{})
	mustAppend(t, quick, "first")
	eventually(t, "the first event", func() bool { _, head := reader.Bounds(); return head == 1 })

	s, release := holdHead(t, slow)
	c := &batchCall{events: []*mercure.Event{event("slow")}, now: time.Now(), ownerless: true}
	c.columns = newColumns(c.events)
	slow.placeAt(c, 2)
	if x, err := slow.call(t.Context(), s, c); err != nil || !x.stored || x.first != 2 {
		t.Fatalf("the slow append: %+v, %v", x, err)
	}
	done := make(chan uint64, 1)
	go func() {
		first, err := quick.Append([]*mercure.Event{event("quick")})
		if err != nil {
			t.Error(err)
		}
		done <- first
	}()
	eventually(t, "the wait for the head", func() bool { return waits(t, quick.pid.Load()) })
	events, x, err := reader.fetch(t.Context(), 0, 0, 1<<20)
	if err != nil || len(events) != 1 || x.Head != 1 {
		t.Fatalf("before the commit there are %d events, the head is %d: %v", len(events), x.Head, err)
	}
	release()
	if first := <-done; first != 3 {
		t.Fatalf("the quick append is at %d, want 3", first)
	}
	eventually(t, "the third event", func() bool { _, head := reader.Bounds(); return head == 3 })
	if at := positions(t, reader); at["slow"] != 2 || at["quick"] != 3 {
		t.Fatalf("stored are %v", at)
	}
}

// A node that is not heard of any more does not hold the others up for ever.
func TestHolderOfTheHeadIsThrownOut(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	log := p.mustOpen(t, Options{})
	p.timeout = time.Second
	gone := p.mustOpen(t, Options{})
	_, _ = holdHead(t, gone)
	mustAppend(t, log, "first")
}

// A hundred times all connections of a node break. It keeps none of them.
func TestManyCuts(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	p.url += "&application_name=many-cuts"
	log := p.mustOpen(t, Options{})
	for i := range 100 {
		mustAppend(t, log, strconv.Itoa(i))
		if _, _, err := log.Find(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		log.dialer.cut()
	}
	if at := positions(t, log); len(at) != 100 || at["99"] != 100 {
		t.Fatalf("%d events are stored", len(at))
	}
	most := log.o.Connections + 2
	eventually(t, "the end of broken connections", func() bool {
		n, err := strconv.Atoi(server.SQL(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'many-cuts'"))
		return err == nil && n <= most && log.dialer.count() <= most
	})
}

// A server that took over without the newest events: no position that a stream has seen is used again.
func TestLostEventsAreFilled(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	// The first node to notice fills what is lost, and the others may not notice any more.
	lost := make(chan string, 10)
	told := Options{Lost: func(after, upto uint64) { lost <- fmt.Sprint(after, " to ", upto) }}
	log := p.mustOpen(t, told)
	other := p.mustOpen(t, told)
	mustAppend(t, log, "1", "2", "3", "4", "5")
	eventually(t, "the events", func() bool { _, head := other.Bounds(); return head == 5 })
	lose := fmt.Sprintf("DELETE FROM %s.events WHERE position > 2; UPDATE %[1]s.head SET head = 2, last_id = '2', bytes = (SELECT bytes FROM %[1]s.events WHERE position = 2)",
		log.target.quoted())
	server.SQL(t, "postgres", lose)
	if first := mustAppend(t, log, "6"); first != 6 {
		t.Fatalf("the next event is at %d, want 6", first)
	}
	server.SQL(t, "postgres", fmt.Sprintf("NOTIFY %q", log.target.channel()))
	eventually(t, "the next event", func() bool { _, head := other.Bounds(); return head == 6 })
	fresh := p.mustOpen(t, told)
	page, err := fresh.Read(0, 1<<20)
	if err != nil || len(page) != 6 {
		t.Fatalf("%d events, %v", len(page), err)
	}
	for _, e := range page[2:5] {
		if len(e.Topics) > 0 || e.OwnID {
			t.Fatalf("event %d was not filled: %+v", e.Position, e)
		}
	}
	server.SQL(t, "postgres", lose+fmt.Sprintf("; NOTIFY %q", log.target.channel()))
	for late := time.After(patience); ; {
		select {
		case got := <-lost:
			if got == "2 to 6" {
				return
			}
			if got != "2 to 5" { // the first loss may be noticed before the append makes up for it
				t.Fatalf("lost are %s, want 2 to 6", got)
			}
		case <-late:
			t.Fatal("nobody was told of lost events")
		}
	}
}
