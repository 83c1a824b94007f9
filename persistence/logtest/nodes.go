package logtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// testInTurn appends on one log after the other, so that the model knows what each of them has to hold.
func testInTurn(t *testing.T, b Backend) {
	t.Run("what one appends the other has", func(t *testing.T) {
		t.Parallel()
		n := newNodes(t, b, persistence.Retention{})
		first, second := n.follow(0), n.through(n.logs[1]).follow(0)
		for i := range 12 {
			n.through(n.logs[i%2]).append(make([]string, 1+i%5)...)
			n.checkAll()
		}
		n.append("mine", "", "mine")
		n.checkAll()
		n.checkEvents(0, first.drain(t, 0))
		n.checkEvents(0, second.drain(t, 0))
	})
	// "Reconnection": a reused id resolves to the earliest such update, wherever it was published.
	t.Run("a reused id is the earliest of all logs'", func(t *testing.T) {
		t.Parallel()
		n := newNodes(t, b, persistence.Retention{MaxEvents: 12})
		for i := range 20 {
			n.through(n.logs[i%2]).append("again", "", fmt.Sprint("once ", i))
			for _, log := range n.logs {
				n.through(log).checkFind("again")
			}
		}
		n.checkAll()
	})
	t.Run("retention is exact on both", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 1))
			n := newNodes(t, b, []persistence.Retention{
				{MaxEvents: 9}, {MaxAge: time.Minute}, {MaxBytes: 2500}, {MaxEvents: 30, MaxAge: 40 * time.Second, MaxBytes: 4000},
			}[seed])
			for range 15 {
				n.now = n.now.Add(time.Duration(r.IntN(15)) * time.Second)
				if r.IntN(8) == 0 { // a node whose clock is behind
					n.now = n.now.Add(-time.Duration(r.IntN(100)) * time.Second)
				}
				n.through(n.logs[r.IntN(2)]).append(randomIDs(n.harness, r)...)
				for _, log := range n.logs {
					n.through(log).checkBounds()
					n.checkEvents(0, n.readAll(0))
				}
			}
			n.checkAll()
		}
	})
	t.Run("an append of nothing tells what the others appended", func(t *testing.T) {
		t.Parallel()
		n := newNodes(t, b, persistence.Retention{})
		for range 5 {
			n.through(n.logs[0]).append("", "")
			if position, err := n.logs[1].Append(nil); err != nil || position != uint64(len(n.events))+1 {
				t.Fatalf("append of nothing: %d, %v, want %d", position, err, len(n.events)+1)
			}
			n.checkAll()
		}
	})
	t.Run("one pages while the other appends", func(t *testing.T) {
		t.Parallel()
		n := newNodes(t, b, persistence.Retention{})
		n.appendMany(5, 20)
		awaitHead(t, n.logs[1], 100)
		after := uint64(0)
		for round := 0; after < uint64(len(n.events)); round++ {
			page, err := n.logs[1].Read(after, 1500)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				awaitHead(t, n.logs[1], uint64(len(n.events)))
				continue
			}
			checkPage(t, n.logs[1], page, after, 1500)
			for i, e := range page {
				n.checkEvent(after+uint64(i)+1, e)
			}
			after += uint64(len(page))
			if round < 30 {
				n.appendMany(1, 3)
			}
		}
		n.checkAll()
	})
}

// testAtOnce appends on both logs at the same time.
func testAtOnce(t *testing.T, b Backend) {
	t.Run("both tails see all events of both, each once, in one order", func(t *testing.T) {
		t.Parallel()
		const batches, size = 40, 8
		n := newNodes(t, b, persistence.Retention{})
		readers := [2]*reader{n.read("the first tail", n.logs[0], 0), n.read("the second tail", n.logs[1], 0)}
		appended := n.appendAtOnce(batches, size)
		if len(appended) != 2*batches*size {
			t.Fatalf("%d events were appended, want %d", len(appended), 2*batches*size)
		}
		first, second := readers[0].await(t, uint64(len(appended))), readers[1].await(t, uint64(len(appended)))
		checkSame(t, 0, first, second)
		n.checkAppended(first, appended)
	})
	t.Run("and under retention", func(t *testing.T) {
		t.Parallel()
		// In each round fewer events come than are kept, so neither tail can fall behind the history.
		const rounds, batches, size, keep = 12, 4, 5, 2 * 4 * 5
		n := newNodes(t, b, persistence.Retention{MaxEvents: keep})
		readers := [2]*reader{n.read("the first tail", n.logs[0], 0), n.read("the second tail", n.logs[1], 0)}
		appended := map[uint64]*mercure.Event{}
		for range rounds {
			for position, e := range n.appendAtOnce(batches, size) {
				appended[position] = e
			}
			head := uint64(len(appended))
			first, second := readers[0].await(t, head), readers[1].await(t, head)
			checkSame(t, 0, first, second)
			n.checkAppended(first, appended)
			for _, log := range n.logs {
				if before, at := log.Bounds(); at != head || before != head-min(head, keep) {
					t.Fatalf("bounds are (%d, %d), want (%d, %d)", before, at, head-min(head, keep), head)
				}
			}
		}
	})
	// Where one log's events go before the other has fetched them, its tail passes over them and its appends go on.
	t.Run("and where the history is shorter than what comes at once", func(t *testing.T) {
		t.Parallel()
		n := newNodes(t, b, persistence.Retention{MaxEvents: 3})
		readers := [2]*reader{n.read("the first tail", n.logs[0], 0), n.read("the second tail", n.logs[1], 0)}
		appended := n.appendAtOnce(60, 4)
		for _, r := range readers {
			for _, e := range r.await(t, uint64(len(appended))) {
				checkEqual(t, e, appended[e.Position])
			}
		}
	})
}

// appendAtOnce appends batches on both logs at the same time, and returns what was appended by its position.
func (n *nodes) appendAtOnce(batches, size int) map[uint64]*mercure.Event {
	n.Helper()
	var mu sync.Mutex
	appended := map[uint64]*mercure.Event{}
	var work sync.WaitGroup
	for node, log := range n.logs {
		work.Go(func() {
			for i := range batches {
				batch := make([]*mercure.Event, size)
				for j := range batch {
					id := ""
					if j == 1 {
						id = fmt.Sprintf("node %d batch %d of %d", node, i, rand.Uint64())
					}
					batch[j] = mercure.NewEvent(update(rand.IntN(1000), id))
				}
				first, err := log.Append(batch)
				if err != nil {
					n.Errorf("append: %v", err)
					return
				}
				mu.Lock()
				for j, e := range batch {
					if e.Position != first+uint64(j) || appended[e.Position] != nil {
						n.Errorf("event %d of the batch at %d was placed at %d", j, first, e.Position)
					}
					appended[e.Position] = e
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if n.Failed() {
		n.FailNow()
	}
	return appended
}

// checkAppended checks what came against what was appended, and that each event is found on both logs.
func (n *nodes) checkAppended(came []*mercure.Event, appended map[uint64]*mercure.Event) {
	n.Helper()
	if len(came) != len(appended) {
		n.Fatalf("%d events came, %d were appended", len(came), len(appended))
	}
	for i, e := range came {
		checkEqual(n, e, appended[e.Position])
		if i%17 != 0 {
			continue
		}
		for _, log := range n.logs {
			before, _ := log.Bounds()
			position, found, err := log.Find(e.ID())
			if err != nil || found != (e.Position > before) || found && position != e.Position {
				n.Fatalf("find %q is (%d, %t), %v, want %d, the history begins after %d", e.ID(), position, found, err, e.Position, before)
			}
		}
	}
}

func testSharedOpen(t *testing.T, b Backend) {
	t.Run("one is opened again", func(t *testing.T) {
		t.Parallel()
		n := newNodes(t, b, persistence.Retention{MaxEvents: 40})
		n.append("", "own", "")
		for range 4 {
			awaitHead(t, n.logs[1], uint64(len(n.events)))
			if err := n.logs[1].Close(); err != nil {
				t.Fatal(err)
			}
			n.through(n.logs[0]).append("", "own", "", "", "")
			n.check()
			n.logs[1] = n.join(nil)
			n.log = n.logs[1]
			n.check() // all of it, without a wait
			n.append("")
			n.checkAll()
		}
	})
	t.Run("both are opened at once in a new place", func(t *testing.T) {
		t.Parallel()
		for range 4 {
			n := &nodes{harness: &harness{T: t, backend: b, place: b.New(t), byID: map[string][]uint64{}, now: time.Unix(1_700_000_000, 0)}}
			var opening sync.WaitGroup
			for i := range n.logs {
				opening.Go(func() {
					log, err := n.place.Open(Options{Now: func() time.Time { return n.now }})
					if err != nil {
						t.Errorf("open: %v", err)
						return
					}
					t.Cleanup(func() { _ = log.Close() })
					n.logs[i] = log.(persistence.Shared)
				})
			}
			opening.Wait()
			if t.Failed() {
				t.FailNow()
			}
			n.through(n.logs[0]).append("", "own", "")
			n.through(n.logs[1]).append("", "own", "")
			n.checkAll()
		}
	})
	t.Run("one is closed", func(t *testing.T) {
		t.Parallel()
		n := newNodes(t, b, persistence.Retention{})
		n.append("", "own")
		awaitHead(t, n.logs[1], 2)
		if err := n.logs[1].Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := n.logs[1].Append(nil); !errors.Is(err, persistence.ErrClosed) {
			t.Fatalf("append to a closed log: %v", err)
		}
		n.append("", "own")
		n.check()
	})
}
