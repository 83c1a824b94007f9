package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"hubd/internal/hubtest/engines"
	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/logtest"
)

// patience is how long a test waits for what must happen. It is no expectation of speed.
const patience = 90 * time.Second

// publisher appends to a log, batch after batch, whatever becomes of the engine, and keeps what was acknowledged.
type publisher struct {
	log   *Log
	name  string
	acked map[string]uint64 // positions by what identifies the event
	tried map[string]bool
}

func newPublisher(log *Log, name string) *publisher {
	return &publisher{log: log, name: name, acked: map[string]uint64{}, tried: map[string]bool{}}
}

func batchOf(names ...string) []*mercure.Event {
	batch := make([]*mercure.Event, len(names))
	for i, name := range names {
		u := &mercure.Update{Topics: []string{name}, Data: "data"}
		if i == 1 {
			u.ID = "id of " + name
		}
		batch[i] = mercure.NewEvent(u)
	}
	return batch
}

// append appends a batch of three. It returns the error of the log, which must say that the engine is to blame.
func (p *publisher) append(t testing.TB, n int) error {
	names := []string{fmt.Sprint(p.name, " ", n, " a"), fmt.Sprint(p.name, " ", n, " b"), fmt.Sprint(p.name, " ", n, " c")}
	batch := batchOf(names...)
	_, err := p.log.Append(batch)
	if err != nil && !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("append: %v", err)
	}
	for i, name := range names {
		p.tried[name] = true
		if err == nil {
			p.acked[name] = batch[i].Position
		}
	}
	return err
}

// surely appends batches until one is acknowledged: on a machine with much else to do an append may run out of time.
func (p *publisher) surely(t testing.TB) {
	t.Helper()
	late := time.After(patience)
	for n := 1_000_000 + len(p.tried); p.append(t, n) != nil; n += 3 {
		select {
		case <-late:
			t.Fatal("nothing can be appended")
		default:
		}
	}
}

// check reads the whole log: what was acknowledged is there at its place, nothing is there twice, batches are whole.
func check(t *testing.T, log *Log, publishers ...*publisher) {
	t.Helper()
	_, head := log.Bounds()
	seen, after := map[string]uint64{}, uint64(0)
	for after < head {
		page, err := log.Read(after, 64<<10)
		if err != nil || len(page) == 0 {
			t.Fatalf("read after %d of %d: %d events, %v", after, head, len(page), err)
		}
		for _, e := range page {
			if e.Position != after+1 {
				t.Fatalf("event %d follows %d", e.Position, after)
			}
			after = e.Position
			if len(e.Topics) == 0 {
				continue
			}
			if earlier := seen[e.Topics[0]]; earlier > 0 {
				t.Errorf("%q is at %d and at %d", e.Topics[0], earlier, e.Position)
			}
			seen[e.Topics[0]] = e.Position
		}
	}
	for _, p := range publishers {
		for name, position := range p.acked {
			if seen[name] != position {
				t.Errorf("%q was acknowledged at %d and is at %d", name, position, seen[name])
			}
		}
		for name := range p.tried {
			if whole := name[:len(name)-1]; (seen[whole+"a"] > 0) != (seen[whole+"c"] > 0) {
				t.Errorf("a part of the batch %q is missing", whole)
			}
		}
	}
}

// awaitAppend tries until the log appends.
func awaitAppend(t *testing.T, log *Log) {
	t.Helper()
	late := time.After(patience)
	for {
		_, err := log.Append(nil)
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("the log does not recover: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func awaitBounds(t *testing.T, log *Log, before, head uint64) {
	t.Helper()
	late := time.After(patience)
	for {
		b, h := log.Bounds()
		if b == before && h == head {
			return
		}
		select {
		case <-late:
			t.Fatalf("bounds are (%d, %d), want (%d, %d)", b, h, before, head)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A server that is killed keeps what it acknowledged, whether it syncs each write or leaves that to the kernel: only a
// crash of the machine makes a difference.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	for _, syncAlways := range []bool{true, false} {
		t.Run(fmt.Sprint("sync always ", syncAlways), func(t *testing.T) {
			t.Parallel()
			n := engines.StartNATS(t, syncAlways)
			p := newPlaceAt(n.URL+"/?stream=killed", time.Second)
			log := openLog(t, p)
			pub := newPublisher(log, "killed")
			for round := range 3 {
				killWhile(t, n, pub, 100*round)
				awaitAppend(t, log)
			}
			pub.surely(t)
			check(t, log, pub)
			check(t, openLog(t, p), pub)
		})
	}
}

// killWhile kills the server while the publisher appends, and starts it again.
func killWhile(t *testing.T, n *engines.NATS, pub *publisher, from int) {
	t.Helper()
	for range 10 {
		pub.surely(t)
	}
	killed := make(chan struct{})
	go func() {
		n.Kill()
		close(killed)
	}()
	for i := 0; i < 90 && pub.append(t, from+i) == nil; i++ {
		continue
	}
	<-killed
	if err := n.Restart(); err != nil {
		t.Fatal(err)
	}
}

// A server that stands still for a while answers nothing, and may store what was sent to it when it goes on.
func TestPausedServer(t *testing.T) {
	t.Parallel()
	n := engines.StartNATS(t, false)
	p := newPlaceAt(n.URL+"/?stream=paused", time.Second)
	log := openLog(t, p)
	pub := newPublisher(log, "paused")
	pub.surely(t)
	for i := 1; i < 4; i++ {
		n.Pause()
		if err := pub.append(t, 10*i); err == nil {
			t.Error("an append works while the server stands still")
		}
		n.Continue()
		awaitAppend(t, log)
		pub.surely(t)
	}
	check(t, log, pub)
	check(t, openLog(t, p), pub)
}

// A pause that is shorter than the timeout is only a delay: what was sent again meanwhile is stored once.
func TestPausedForLessThanTheTimeout(t *testing.T) {
	t.Parallel()
	n := engines.StartNATS(t, false)
	p := newPlaceAt(n.URL+"/?stream=delayed", 30*time.Second)
	log := openLog(t, p)
	log.o.Timeout = 900 * time.Millisecond // so that an attempt is given up soon; the call itself is not
	pub := newPublisher(log, "delayed")
	for i := range 3 {
		n.Pause()
		resumed := time.AfterFunc(500*time.Millisecond, n.Continue)
		err := pub.append(t, i)
		resumed.Stop()
		n.Continue()
		if err != nil {
			awaitAppend(t, log)
		}
	}
	check(t, log, pub)
}

// Connections that are cut again and again leave nothing behind: see goleak in TestMain, and what the server counts.
func TestHundredCuts(t *testing.T) {
	t.Parallel()
	url := sharedURL(t)
	p := newPlaceAt(url, 30*time.Second)
	log, other := openLog(t, p), openLog(t, newPlaceAt(url, 30*time.Second))
	pub := newPublisher(log, "cut")
	for i := range 100 {
		p.Cut(log)
		p.Mend()
		if err := pub.append(t, i); err != nil {
			t.Fatal(err)
		}
	}
	awaitBounds(t, other, 0, 300)
	check(t, log, pub)
	check(t, other, pub)
	var streams struct {
		State struct {
			Consumers int `json:"consumer_count"`
		} `json:"state"`
	}
	for _, name := range []string{log.target.stream, log.boardStream()} {
		if err := other.engine.call(context.Background(), "STREAM.INFO."+name, nil, &streams); err != nil || streams.State.Consumers > 0 {
			t.Errorf("stream %s has %d consumers, %v", name, streams.State.Consumers, err)
		}
	}
	if n := log.engine.nc.Stats().Reconnects; n < 100 {
		t.Errorf("%d connections were made again, want 100", n)
	}
	// Those of the wake subject and of the answers, and one for each page that is being read.
	if n := log.engine.nc.NumSubscriptions(); n > 4 {
		t.Errorf("the client has %d subscriptions", n)
	}
}

// What clients may have seen keeps its positions although the engine lost it.
func TestLostEventsArePassedOver(t *testing.T) {
	t.Parallel()
	type loss struct{ after, upto uint64 }
	lost := make(chan loss, 10)
	url := sharedURL(t)
	p := newPlaceAt(url, 30*time.Second)
	log, err := Open(context.Background(), Options{URL: url, Lost: func(after, upto uint64) { lost <- loss{after, upto} }})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.log = log
	pub := newPublisher(log, "kept")
	for i := range 2 {
		if err := pub.append(t, i); err != nil {
			t.Fatal(err)
		}
	}
	restore := p.Snapshot(t, log)
	gone := newPublisher(log, "gone")
	for i := range 2 {
		if err := gone.append(t, i); err != nil {
			t.Fatal(err)
		}
	}
	restore()
	select {
	case at := <-lost:
		if at.after != 6 || at.upto != 12 {
			t.Errorf("lost after %d up to %d, want 6 and 12", at.after, at.upto)
		}
	case <-time.After(patience):
		t.Fatal("nobody is told of the loss")
	}
	awaitAppend(t, log)
	batch := batchOf("next", "own")
	if first, err := log.Append(batch); err != nil || first != 13 {
		t.Fatalf("the next append is at %d, %v, want 13", first, err)
	}
	fresh := openLog(t, p)
	check(t, fresh, pub)
	page, err := fresh.Read(6, math.MaxInt)
	if err != nil || len(page) != 8 {
		t.Fatalf("%d events after 6, %v, want 8", len(page), err)
	}
	for i, e := range page {
		if wantTopics := i >= 6; (len(e.Topics) > 0) != wantTopics || e.Position != uint64(7+i) {
			t.Errorf("event %d has topics %v", e.Position, e.Topics)
		}
	}
}

// A stream that somebody purged by hand has lost its history, but no position is used again.
func TestPurgedByHand(t *testing.T) {
	t.Parallel()
	p := newPlaceAt(sharedURL(t), 30*time.Second)
	log := openLog(t, p)
	pub := newPublisher(log, "purged")
	for i := range 4 {
		if err := pub.append(t, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.engine.purge(context.Background(), log.target.stream, 0, ""); err != nil {
		t.Fatal(err)
	}
	fresh := openLog(t, p)
	before, head := fresh.Bounds()
	if before != head || head < 12 {
		t.Fatalf("bounds are (%d, %d), want nothing after 12 or later", before, head)
	}
	if err := newPublisher(fresh, "after").append(t, 0); err != nil {
		t.Fatal(err)
	}
	awaitBounds(t, log, head, head+3)
}

// A node that opens the store with a lower bound applies it, and the other nodes show it.
func TestLoweredBoundReachesOtherNodes(t *testing.T) {
	t.Parallel()
	p := newPlaceAt(sharedURL(t), 30*time.Second)
	log := openLog(t, p)
	for i := range 5 {
		if err := newPublisher(log, "lowered").append(t, i); err != nil {
			t.Fatal(err)
		}
	}
	second, err := p.Open(logtest.Options{Retention: persistence.Retention{MaxEvents: 4}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if before, head := second.Bounds(); before != 11 || head != 15 {
		t.Fatalf("bounds are (%d, %d), want (11, 15)", before, head)
	}
	awaitBounds(t, log, 11, 15)
}
