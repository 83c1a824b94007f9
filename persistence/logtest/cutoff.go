package logtest

import (
	"errors"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// testCutOff takes the engine away from one log while the other goes on.
func testCutOff(t *testing.T, b Backend) {
	run := func(name string, test func(*testing.T, *nodes, Cutter, chan error)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, b, persistence.Retention{})
			place, ok := h.place.(Cutter)
			if !ok {
				t.Skip("the place cannot cut a log off")
			}
			contacts := make(chan error, 1000)
			n := &nodes{harness: h}
			n.own(h.log)
			n.logs[1] = n.join(func(err error) { contacts <- err })
			n.append("", "own", "")
			awaitHead(t, n.logs[1], 3)
			test(t, n, place, contacts)
		})
	}
	run("it catches up and nothing is doubled", func(t *testing.T, n *nodes, place Cutter, contacts chan error) {
		r := n.read("the tail that was cut off", n.logs[1], 0)
		for range 3 {
			place.Cut(n.logs[1])
			awaitContact(t, contacts, false)
			for range 5 {
				n.append("", "own", "", "")
			}
			if err := n.logs[1].Contact(); !errors.Is(err, persistence.ErrUnavailable) {
				t.Fatalf("contact of a log that is cut off: %v", err)
			}
			// What is in memory is served meanwhile, and no more than that.
			before, head := n.logs[1].Bounds()
			if page, err := n.logs[1].Read(head-1, pageBytes); err != nil || len(page) != 1 || before != 0 {
				t.Fatalf("the newest event of a log that is cut off: %d, %v", len(page), err)
			}
			place.Mend()
			awaitContact(t, contacts, true)
			n.checkEvents(0, r.await(t, uint64(len(n.events))))
			awaitEmptyAppend(t, n.logs[1])
			n.through(n.logs[1]).append("", "own")
			n.checkAll()
			n.log = n.logs[0]
		}
		if err := n.logs[1].Contact(); err != nil {
			t.Fatalf("contact at the end: %v", err)
		}
	})
	run("what it could not append is there once or not at all", func(t *testing.T, n *nodes, place Cutter, contacts chan error) {
		r := n.read("the tail that was not cut off", n.logs[0], 0)
		for round := range 2 {
			place.Cut(n.logs[1])
			doubtful := "doubtful " + string(rune('a'+round))
			start := time.Now()
			_, err := n.logs[1].Append([]*mercure.Event{mercure.NewEvent(update(1, "")), mercure.NewEvent(update(2, doubtful))})
			if !errors.Is(err, persistence.ErrUnavailable) {
				t.Fatalf("append to a log that is cut off: %v", err)
			}
			if spent := time.Since(start); spent > patience {
				t.Fatalf("the append gave up after %s", spent)
			}
			if _, err := n.logs[1].Append(nil); !errors.Is(err, persistence.ErrUnavailable) {
				t.Fatalf("append of nothing to a log that is cut off: %v", err)
			}
			place.Mend()
			awaitEmptyAppend(t, n.logs[1])
			last := mercure.NewEvent(update(3, "last "+doubtful))
			if _, err := n.logs[1].Append([]*mercure.Event{last}); err != nil {
				t.Fatal(err)
			}
			count := 0
			seen := r.await(t, last.Position)
			for i, e := range seen {
				if e.Position != uint64(i)+1 {
					t.Fatalf("event %d is number %d", e.Position, i+1)
				}
				if e.ID() == doubtful {
					count++
				}
			}
			if count > 1 {
				t.Fatalf("the batch that failed is there %d times", count)
			}
			// Both logs agree on all of it.
			awaitHead(t, n.logs[0], last.Position)
			for after := uint64(0); after < last.Position; after++ {
				a, errA := n.logs[0].Read(after, 1)
				b, errB := n.logs[1].Read(after, 1)
				if errA != nil || errB != nil || len(a) != 1 || len(b) != 1 {
					t.Fatalf("read after %d: %d events, %v and %d, %v", after, len(a), errA, len(b), errB)
				}
				checkEqual(t, a[0], b[0])
			}
		}
	})
	run("closed while it is cut off", func(t *testing.T, n *nodes, place Cutter, _ chan error) {
		place.Cut(n.logs[1])
		if err := n.logs[1].Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		place.Mend()
		n.append("")
		n.check()
	})
}

// awaitContact waits until the log has told that it is in contact, or that it is not.
func awaitContact(t testing.TB, contacts chan error, want bool) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case err := <-contacts:
			if err != nil && !errors.Is(err, persistence.ErrUnavailable) {
				t.Fatalf("the log lost contact with %v", err)
			}
			if (err == nil) == want {
				return
			}
		case <-late:
			t.Fatalf("the log was not told to be in contact: %t", want)
		}
	}
}
