package jetstream

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/logtest"
)

// await waits until something is sent.
func await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
	}
	t.Fatalf("%s does not come", what)
	return *new(T)
}

// openLosing opens a log that tells what the engine lost.
func openLosing(t testing.TB, url string) (*Log, <-chan span) {
	t.Helper()
	lost := make(chan span, 100)
	log, err := Open(context.Background(), Options{URL: url, Lost: func(after, upto uint64) { lost <- span{after, upto} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log, lost
}

// The newest message is replaced and removed between the two questions that find it.
func TestNewestReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPlaceAt(sharedURL(t), patience)
	a := openLog(t, p)
	if err := newPublisher(a, "early").append(t, 0); err != nil {
		t.Fatal(err)
	}
	stale, err := a.engine.info(t.Context(), a.target.stream)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Open(logtest.Options{Retention: persistence.Retention{MaxEvents: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var many []*mercure.Event
	for i := range 300 {
		many = append(many, batchOf(fmt.Sprint(i))...)
	}
	if _, err := b.Append(many); err != nil {
		t.Fatal(err)
	}
	if _, err := a.stateAt(t.Context(), stale.State.LastSeq); err == nil {
		t.Fatal("the message that was the newest is still there")
	}
	found, err := a.foundAt(t.Context(), stale)
	if err != nil || found.head != 303 || found.before != 302 {
		t.Errorf("found (%d, %d), %v, want (302, 303)", found.before, found.head, err)
	}
}

// A server that has lost its newest messages may still count them. The history that is left is kept.
func TestNewestMessagesMissing(t *testing.T) {
	t.Parallel()
	url := sharedURL(t)
	log, lost := openLosing(t, erasable(t, url))
	for i := range 5 {
		if _, err := log.Append(batchOf(fmt.Sprint("event ", i))); err != nil {
			t.Fatal(err)
		}
	}
	js, err := jetstream.New(dialServer(t))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), log.target.stream)
	if err != nil {
		t.Fatal(err)
	}
	for sequence := uint64(4); sequence <= 5; sequence++ {
		if err := stream.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
	fresh := openLog(t, newPlaceAt(url, patience))
	if before, head := fresh.Bounds(); before != 0 || head != 3 {
		t.Errorf("a node that opens the store finds (%d, %d), want (0, 3)", before, head)
	}
	log.nudge()
	if s := await(t, lost, "word of the loss"); s != (span{3, 5}) {
		t.Errorf("lost %v, want those after 3 up to 5", s)
	}
	awaitAppend(t, log)
	if first, err := fresh.Append(batchOf("next")); err != nil || first != 6 {
		t.Errorf("the next append is at %d, %v, want 6", first, err)
	}
	awaitBounds(t, log, 0, 6)
}

// erasable makes the stream of a store so that its messages may be deleted, and returns the URL.
func erasable(t *testing.T, url string) string {
	t.Helper()
	model, err := Open(context.Background(), Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	js, err := jetstream.New(model.engine.nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), model.target.stream)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.DenyDelete = false
	restore(t, config, nil)
	return url
}

// What was lost is filled up in fewer messages than it had been in, so that sequences have another meaning. A node that
// was away meanwhile goes by what it knew of them, until it finds out.
func TestFilledUpInFewerMessages(t *testing.T) {
	t.Parallel()
	const gone, more = 38, 50
	for _, c := range []struct {
		name      string
		following bool // the node that was away follows before it appends
	}{{"follow", true}, {"append", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := sharedURL(t)
			p := newPlaceAt(url, patience)
			a, b := openLog(t, p), openLog(t, p)
			pub := newPublisher(b, "kept")
			for i := range 2 {
				if err := pub.append(t, i); err != nil {
					t.Fatal(err)
				}
			}
			restoreStream := p.Snapshot(t, b)
			for i := range gone {
				if _, err := b.Append(batchOf(fmt.Sprint("gone ", i))); err != nil {
					t.Fatal(err)
				}
			}
			awaitBounds(t, a, 0, 6+gone)
			tail, woken := tailOf(t, a, 6+gone)
			a.follower.Stop()
			restoreStream()
			awaitAppend(t, b)
			if !c.following {
				if first, err := a.Append(batchOf("own")); err != nil || first != 7+gone {
					t.Errorf("the append is at %d, %v, want %d", first, err, 7+gone)
				}
				return
			}
			for i := range more {
				if _, err := b.Append(batchOf(fmt.Sprint("more ", i))); err != nil {
					t.Fatal(err)
				}
			}
			a.follower = a.newFollower()
			a.follower.Start()
			follow(t, tail, woken, 6+gone, 6+gone+more)
			check(t, a, pub)
		})
	}
}

// storeMessages stores messages as nobody but a log may, the last one with the position of its last event.
func storeMessages(t *testing.T, log *Log, head uint64, data ...[]byte) {
	t.Helper()
	x, err := log.engine.info(t.Context(), log.target.stream)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range data {
		m := &nats.Msg{Subject: log.eventSubject(madeToken), Data: d, Header: nats.Header{}}
		if i == len(data)-1 {
			m.Header.Set(headerHead, strconv.FormatUint(head, 10))
		}
		if _, err := log.engine.publish(t.Context(), []*nats.Msg{m}, x.State.LastSeq+uint64(i), ""); err != nil {
			t.Fatal(err)
		}
	}
}

// A message that cannot be read is no retention: its positions are passed over, and reported once.
func TestUnreadableMessage(t *testing.T) {
	t.Parallel()
	url := sharedURL(t)
	log, lost := openLosing(t, url)
	tail, woken := tailOf(t, log, 0)
	if _, err := log.Append(batchOf("one", "two")); err != nil {
		t.Fatal(err)
	}
	s := log.known()
	var events []*mercure.Event
	for position := s.head + 1; position <= s.head+3; position++ {
		e := batchOf("stored")[0]
		e.Place(position, time.Now(), log.cipher.Append(nil, position))
		events = append(events, e)
	}
	after := s.follow(events[:2])
	after = after.follow(events[2:])
	storeMessages(t, log, after.head, []byte("garbage"), after.encode(events[2:]))
	if s := await(t, lost, "word of what cannot be read"); s != (span{2, 4}) {
		t.Errorf("reported %v, want those after 2 up to 4", s)
	}
	var got []string
	for len(got) < 5 {
		page, err := tail.Next(nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			got = append(got, fmt.Sprintf("%d%v", e.Position, e.Topics))
		}
		if len(page) == 0 {
			await(t, woken, "the next event")
		}
	}
	if text := fmt.Sprint(got); text != "[1[one] 2[two] 3[] 4[] 5[stored]]" {
		t.Errorf("the tail gave %s", text)
	}
	awaitBounds(t, log, 0, 5)

	fresh, lost := openLosing(t, url)
	for round := range 2 {
		positions := uint64(0)
		for positions < 5 {
			page, err := fresh.Read(positions, math.MaxInt)
			if err != nil || len(page) == 0 || page[0].Position != positions+1 {
				t.Fatalf("round %d: %d events after %d, %v", round, len(page), positions, err)
			}
			positions = page[len(page)-1].Position
		}
	}
	if n := len(lost); n != 1 {
		t.Errorf("a node that read it twice reports it %d times", n)
	}
	if before, _ := fresh.Bounds(); before != 0 {
		t.Errorf("the history begins after %d", before)
	}
}

// The parts of a span that nobody has heard of.
func TestSpans(t *testing.T) {
	t.Parallel()
	var all spans
	for _, c := range []struct {
		add  span
		want string
	}{
		{span{10, 20}, "[{10 20}]"},
		{span{10, 20}, "[]"},
		{span{12, 15}, "[]"},
		{span{5, 12}, "[{5 10}]"},
		{span{18, 25}, "[{20 25}]"},
		{span{30, 40}, "[{30 40}]"},
		{span{0, 50}, "[{0 5} {25 30} {40 50}]"},
		{span{0, 50}, "[]"},
	} {
		if got := fmt.Sprint(all.add(c.add)); got != c.want {
			t.Errorf("of %v %s is new, want %s", c.add, got, c.want)
		}
	}
	for i := range uint64(spansMost + 10) {
		all.add(span{100 + 2*i, 101 + 2*i})
	}
	if len(all) > spansMost {
		t.Errorf("%d spans are remembered", len(all))
	}
}
