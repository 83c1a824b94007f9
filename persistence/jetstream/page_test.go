package jetstream

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"hubd/internal/hubtest/engines"
	"hubd/persistence"
)

// dialServer returns a connection to the shared server that ends with the test.
func dialServer(t testing.TB) *nats.Conn {
	t.Helper()
	n, err := server()
	if err != nil {
		t.Fatalf("start a NATS server: %v", err)
	}
	nc, err := nats.Connect(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// serve has a connection answer what is asked on a subject.
func serve(t testing.TB, nc *nats.Conn, subject string, f nats.MsgHandler) {
	t.Helper()
	_, err := nc.Subscribe(subject, f)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// answer is a message of a page: its sequence, or 0 for the end of the page, and what it says of its predecessor.
type answer struct{ sequence, previous uint64 }

func (a answer) message(subject string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Header.Set(headerPrevious, strconv.FormatUint(a.previous, 10))
	if a.sequence == 0 {
		m.Header.Set(headerStatus, statusDone)
		return m
	}
	m.Header.Set(headerSequence, strconv.FormatUint(a.sequence, 10))
	m.Header.Set("Nats-Time-Stamp", "2026-01-01T00:00:00Z")
	return m
}

// Of a page that arrives without a part of it, nothing is taken that does not follow from its beginning.
func TestPageCut(t *testing.T) {
	t.Parallel()
	whole := []answer{{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 4}, {0, 5}}
	for _, c := range []struct {
		name  string
		first []answer // what comes of the first page; the next one is whole
		want  []uint64
		cuts  int32
	}{
		{"nothing is missing", whole, []uint64{1, 2, 3, 4, 5}, 0},
		{"sequences that were removed", []answer{{3, 0}, {7, 3}, {0, 7}}, []uint64{3, 7}, 0},
		{"the beginning", whole[2:], []uint64{1, 2, 3, 4, 5}, 1},
		{"the middle", []answer{{1, 0}, {2, 1}, {5, 4}, {0, 5}}, []uint64{1, 2}, 1},
		{"the last messages", []answer{{1, 0}, {2, 1}, {0, 5}}, []uint64{1, 2}, 1},
		{"all messages", []answer{{0, 5}}, []uint64{1, 2, 3, 4, 5}, 1},
		{"the end", whole[:4], []uint64{1, 2, 3, 4}, 1},
		{"everything", nil, []uint64{1, 2, 3, 4, 5}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			nc, other := dialServer(t), dialServer(t)
			prefix, pages := "cut."+nc.NewInbox()+".", 0
			serve(t, other, prefix+"DIRECT.GET.s", func(m *nats.Msg) {
				page := whole
				if pages++; pages == 1 {
					page = c.first
				}
				for _, a := range page {
					_ = other.PublishMsg(a.message(m.Reply))
				}
			})
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			var cuts atomic.Int32
			e := engine{nc: nc, prefix: prefix, cut: func() { cuts.Add(1) }, again: askAgain}
			page, err := e.page(ctx, "s", 1, 10, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint64
			for _, m := range page {
				got = append(got, m.Sequence)
			}
			if !slices.Equal(got, c.want) || cuts.Load() != c.cuts {
				t.Errorf("page %v and %d cut, want %v and %d", got, cuts.Load(), c.want, c.cuts)
			}
		})
	}
}

// A question that gets no answer, as when its connection breaks, is asked again.
func TestLostQuestionIsAskedAgain(t *testing.T) {
	t.Parallel()
	nc, other := dialServer(t), dialServer(t)
	prefix, asked := "cut."+nc.NewInbox()+".", 0
	serve(t, other, prefix+"STREAM.INFO.s", func(m *nats.Msg) {
		if asked++; asked > 1 {
			_ = m.Respond([]byte(`{"state":{"last_seq":7}}`))
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e := engine{nc: nc, prefix: prefix, again: askAgain}
	if x, err := e.info(ctx, "s"); err != nil || x.State.LastSeq != 7 {
		t.Errorf("the stream ends at %d, %v, want 7", x.State.LastSeq, err)
	}
}

// cutFirstPage puts itself between the log and the API, and leaves out some messages of the first page that comes. The
// log must not be in use.
func cutFirstPage(t testing.TB, log *Log, from, count int) {
	t.Helper()
	nc := dialServer(t)
	prefix, pages := "cut."+log.target.stream+".", 0
	serve(t, nc, prefix+">", func(m *nats.Msg) {
		call := strings.TrimPrefix(m.Subject, prefix)
		inbox := nc.NewInbox()
		answers, err := nc.SubscribeSync(inbox)
		if err != nil {
			return // the test is over
		}
		defer answers.Unsubscribe() //nolint:errcheck // as above
		paged := strings.HasPrefix(call, "DIRECT.GET.")
		if paged {
			pages++
		}
		if err := nc.PublishRequest("$JS.API."+call, inbox, m.Data); err != nil {
			return
		}
		for i := 0; ; i++ {
			a, err := answers.NextMsg(patience)
			if err != nil {
				return
			}
			last := !paged || a.Header.Get(headerStatus) != ""
			if last || pages > 1 || i < from || i >= from+count {
				_ = nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: a.Header, Data: a.Data})
			}
			if last {
				return
			}
		}
	})
	log.engine.prefix = prefix
}

// follow reads a tail until it has returned so many events, which must follow one another and have topics.
func follow(t *testing.T, tail persistence.Tail, woken <-chan struct{}, after, upto uint64) {
	t.Helper()
	for after < upto {
		events, err := tail.Next(nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Position != after+1 || len(e.Topics) == 0 {
				t.Fatalf("event %d, with topics %q, follows %d", e.Position, e.Topics, after)
			}
			after = e.Position
		}
		if len(events) == 0 {
			await(t, woken, "the next event")
		}
	}
}

// tailOf returns a tail of the log and what wakes its reader.
func tailOf(t *testing.T, log *Log, after uint64) (persistence.Tail, <-chan struct{}) {
	t.Helper()
	woken := make(chan struct{}, 1)
	tail, err := log.Tail(after, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tail.Close)
	return tail, woken
}

// A node that loses a part of a page shows all of it all the same, and takes nothing away from the others' history.
func TestCutPageSkipsNothing(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]int{"the beginning": 0, "the middle": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := sharedURL(t)
			var cuts atomic.Int32
			a, err := Open(context.Background(), Options{
				URL: url, PageCut: func() { cuts.Add(1) },
				Lost: func(after, upto uint64) { t.Errorf("the events after %d up to %d were lost", after, upto) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			b := openLog(t, newPlaceAt(url, patience))
			a.follower.Stop()
			pub := newPublisher(b, "cut")
			for i := range 20 {
				if err := pub.append(t, i); err != nil {
					t.Fatal(err)
				}
			}
			cutFirstPage(t, a, from, 4)
			tail, woken := tailOf(t, a, 0)
			a.follower = a.newFollower()
			a.follower.Start()
			follow(t, tail, woken, 0, 60)
			if n := cuts.Load(); n != 1 {
				t.Errorf("%d pages count as cut, want 1", n)
			}
			if _, err := a.Append(batchOf("own")); err != nil {
				t.Fatal(err)
			}
			awaitBounds(t, a, 0, 61)
			awaitBounds(t, b, 0, 61)
			if x, err := b.engine.info(context.Background(), b.target.stream); err != nil || x.State.FirstSeq != 1 {
				t.Errorf("the stream begins at %d, %v, want 1", x.State.FirstSeq, err)
			}
			check(t, b, pub)
		})
	}
}

// A board has all its entries also where a page of them arrives without a part.
func TestCutPageOfBoard(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]int{"the beginning": 0, "the middle": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlaceAt(sharedURL(t), patience)
			a, b := openLog(t, p), openLog(t, p)
			var entries []persistence.Entry
			for i := range 10 {
				entries = append(entries, persistence.Entry{Key: fmt.Sprint("key", i), Value: []byte("value")})
			}
			if err := b.Board("revocations").Put(t.Context(), "b", entries); err != nil {
				t.Fatal(err)
			}
			a.follower.Stop()
			cutFirstPage(t, a, from, 4)
			if all, err := a.Board("revocations").List(t.Context()); err != nil || len(all) != len(entries) {
				t.Errorf("the board has %d entries, %v, want %d", len(all), err, len(entries))
			}
		})
	}
}

// Whichever server of a cluster answers, its page says what follows what.
func TestPagesOfCluster(t *testing.T) {
	t.Parallel()
	c := engines.StartNATSCluster(t, false)
	p := newPlaceAt(c.URL()+"/?stream=pages&replicas=3", patience)
	pub := newPublisher(openLog(t, p), "pages")
	for range 10 {
		pub.surely(t)
	}
	for _, n := range c.Servers {
		t.Run(n.Name, func(t *testing.T) {
			nc, err := nats.Connect(n.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			e := newEngine(nc, "", func() { t.Error("a page counts as cut") })
			for from := uint64(1); from <= 10; from++ {
				// Servers that are behind give fewer, and none at all is an answer as well.
				page, err := e.page(t.Context(), "pages", from, 5, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				for i, m := range page {
					if m.Sequence != from+uint64(i) {
						t.Errorf("message %d is at place %d of the page from %d on", m.Sequence, i, from)
					}
				}
			}
		})
	}
}
