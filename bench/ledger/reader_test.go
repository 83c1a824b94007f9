package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hubd/bench/stat"
	"hubd/bench/wire"
)

// event is one event of a made-up log.
type event struct {
	id string
	p  wire.Payload
}

func (e event) frame() string {
	data := make([]byte, 128)
	e.p.Put(data)
	return fmt.Sprintf("id: %s\ndata: %s\n\n", e.id, data)
}

// makeLog interleaves the lanes' numbers at random, as a hub orders what several publishers send.
func makeLog(random *rand.Rand, lanes, events int) []event {
	next := make([]uint32, lanes)
	var log []event
	for i := range events {
		lane := random.IntN(lanes)
		log = append(log, event{fmt.Sprintf("urn:id:%d", i), wire.Payload{
			Group: 1, Lane: uint32(lane), N: next[lane], SentAt: int64(i) * 10,
		}})
		next[lane]++
	}
	return log
}

// room is a group with its streams.
type room struct {
	g       *Group
	faults  Faults
	latency stat.Histogram
	scanner wire.Scanner
	streams []Reader
}

func newRoom(streams int, o GroupOptions) *room {
	o.Key, o.Payload = 1, 128
	r := &room{g: NewGroup(o)}
	for i := range streams {
		r.streams = append(r.streams, NewReader(ReaderOptions{
			Stream: i, Group: r.g, Faults: &r.faults, Latency: &r.latency, Scanner: &r.scanner,
		}))
	}
	return r
}

// feed gives a stream bytes as the load program's loop does, with what it carried before them.
func (r *room) feed(stream int, b string) int {
	s := &r.streams[stream]
	return s.Feed(append(slices.Clone(s.Carried()), b...), 1_000_000)
}

// play gives every stream its text in random pieces, the streams in random turns.
func (r *room) play(random *rand.Rand, texts []string) {
	texts = slices.Clone(texts)
	for left := len(texts); left > 0; {
		i := random.IntN(len(texts))
		if texts[i] == "" {
			continue
		}
		n := min(1+random.IntN(700), len(texts[i]))
		r.feed(i, texts[i][:n])
		if texts[i] = texts[i][n:]; texts[i] == "" {
			left--
		}
	}
}

func (r *room) complete() {
	for i := range r.streams {
		r.streams[i].Complete()
	}
}

func render(log []event, heartbeat func() bool) string {
	var b strings.Builder
	for _, e := range log {
		if heartbeat != nil && heartbeat() {
			b.WriteString(":\n\n")
		}
		b.WriteString(e.frame())
	}
	return b.String()
}

// TestRightDeliveriesPass plays right deliveries in all ways they can come: in pieces, with heartbeats
// anywhere, streams ahead of and behind each other.
func TestRightDeliveriesPass(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		lanes, streams := 1+random.IntN(4), 1+random.IntN(5)
		log := makeLog(random, lanes, random.IntN(60))
		r := newRoom(streams, GroupOptions{Lanes: lanes})
		var texts []string
		for range streams {
			texts = append(texts, render(log, func() bool { return random.IntN(8) == 0 })+":\n")
		}
		r.play(random, texts)
		r.complete()
		if r.faults.Total > 0 {
			t.Fatalf("seed %d: %s", seed, r.faults.List[0])
		}
		if got, want := r.latency.Count(), uint64(streams*len(log)); got != want {
			t.Fatalf("seed %d: %d deliveries, want %d", seed, got, want)
		}
		counts := make([]uint32, lanes)
		for _, e := range log {
			counts[e.p.Lane]++
		}
		of := func(lane uint32) uint32 { return counts[lane] }
		if err := r.g.Complete(of, of); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestWrongDeliveryIsFound damages one event on one stream, in every way, and wants it named.
func TestWrongDeliveryIsFound(t *testing.T) {
	t.Parallel()
	damages := []struct {
		name string
		do   func(log []event, at int) []event
	}{
		{"lost", func(log []event, at int) []event { return slices.Delete(log, at, at+1) }},
		{"doubled", func(log []event, at int) []event { return slices.Insert(log, at, log[at]) }},
		{"doubled later", func(log []event, at int) []event { return append(log, log[at]) }},
		{"reordered", func(log []event, at int) []event {
			log[at], log[(at+1)%len(log)] = log[(at+1)%len(log)], log[at]
			return log
		}},
		{"another id", func(log []event, at int) []event { log[at].id = "urn:other"; return log }},
		{"another group's", func(log []event, at int) []event { log[at].p.Group = 2; return log }},
		{"altered", func(log []event, at int) []event { log[at].p.SentAt++; return log }},
	}
	for _, damage := range damages {
		t.Run(damage.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100) {
				random := rand.New(rand.NewPCG(seed, 2))
				const streams = 4
				log := makeLog(random, 1+random.IntN(3), 2+random.IntN(40))
				victim, at := random.IntN(streams), random.IntN(len(log))
				r := newRoom(streams, GroupOptions{Lanes: 4})
				var texts []string
				for i := range streams {
					l := slices.Clone(log)
					if i == victim {
						l = damage.do(l, at)
					}
					texts = append(texts, render(l, func() bool { return random.IntN(10) == 0 }))
				}
				r.play(random, texts)
				r.complete()
				if r.faults.Total == 0 {
					t.Fatalf("seed %d: event %d of stream %d was %s, and nobody noticed", seed, at, victim, damage.name)
				}
			}
		})
	}
}

// TestTheVictimIsNamed has the wrong stream behind a right one, so that the record is right.
func TestTheVictimIsNamed(t *testing.T) {
	t.Parallel()
	log := makeLog(rand.New(rand.NewPCG(1, 1)), 2, 20)
	r := newRoom(2, GroupOptions{Lanes: 2})
	r.feed(0, render(log, nil))
	r.feed(1, render(slices.Delete(slices.Clone(log), 7, 8), nil))
	r.complete()
	if r.faults.Total != 1 || r.faults.List[0].Stream != 1 || r.faults.List[0].Place != 7 {
		t.Fatalf("%v", r.faults.List)
	}
	if what := r.faults.List[0].What; !strings.Contains(what, "1 events lost") || !strings.Contains(what, log[7].id) {
		t.Errorf("%s", what)
	}
}

// TestALossOnAllStreamsIsFound has no right stream to compare with: the lanes' numbers show it.
func TestALossOnAllStreamsIsFound(t *testing.T) {
	t.Parallel()
	log := makeLog(rand.New(rand.NewPCG(1, 1)), 1, 10)
	r := newRoom(2, GroupOptions{Lanes: 1})
	for i := range 2 {
		r.feed(i, render(append(slices.Clone(log[:4]), log[5:]...), nil))
	}
	if r.faults.Total == 0 {
		t.Error("a loss in the middle was not found")
	}
	r = newRoom(2, GroupOptions{Lanes: 1})
	for i := range 2 {
		r.feed(i, render(log[:9], nil))
	}
	r.complete()
	ten := func(uint32) uint32 { return 10 }
	if err := r.g.Complete(ten, ten); err == nil {
		t.Error("a loss at the end was not found")
	}
	if err := r.g.Complete(func(uint32) uint32 { return 8 }, func(uint32) uint32 { return 8 }); err == nil {
		t.Error("an event that was never sent was not found")
	}
}

func TestStrangeBytesAreFaults(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"strange data": "id: a\ndata: hello\n\n",
		"no id":        strings.Replace(makeLog(rand.New(rand.NewPCG(1, 1)), 1, 1)[0].frame(), "id: ", "ix: ", 1),
		"a lane too many": event{"a", wire.Payload{
			Group: 1, Lane: 5,
		}}.frame(),
		"no end": "data: " + strings.Repeat("x", maxCarry),
	} {
		r := newRoom(1, GroupOptions{Lanes: 1})
		r.feed(0, text)
		if r.faults.Total != 1 {
			t.Errorf("%s: %v", name, r.faults.List)
		}
	}
}

func TestResumeDropsWhatWasCutOff(t *testing.T) {
	t.Parallel()
	log := makeLog(rand.New(rand.NewPCG(1, 1)), 1, 10)
	for _, ahead := range []bool{false, true} {
		r := newRoom(2, GroupOptions{Lanes: 1})
		if ahead {
			r.feed(0, render(log, nil))
		}
		text := render(log[:5], nil)
		r.feed(1, text[:len(text)-20])
		s := &r.streams[1]
		s.Resume()
		if got := string(s.LastID()); got != log[3].id {
			t.Fatalf("the cursor is %q, want %q", got, log[3].id)
		}
		r.feed(1, render(log[4:], nil))
		if !ahead {
			r.feed(0, render(log, nil))
		}
		r.complete()
		if r.faults.Total > 0 {
			t.Error(r.faults.List[0])
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	log := makeLog(rand.New(rand.NewPCG(1, 1)), 1, 10)
	tests := []struct {
		name   string
		sent   uint32 // when the stream opened
		from   int    // the first event that it gets
		before int    // how much the other stream has when it comes
		fault  bool
	}{
		{"gets what follows", 4, 4, 10, false},
		{"gets more than it is owed", 4, 2, 10, false},
		{"misses one that it is owed", 4, 5, 10, true},
		{"is ahead of the other stream", 4, 4, 3, false},
		{"is ahead and misses one", 4, 6, 3, true},
		{"gets nothing and is owed nothing", 10, 10, 10, false},
		{"gets nothing and is owed one", 9, 10, 10, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(2, GroupOptions{Lanes: 1})
			r.feed(0, render(log[:test.before], nil))
			r.streams[1].Join(func(uint32) uint32 { return test.sent })
			r.feed(1, render(log[test.from:], nil))
			r.feed(0, render(log[test.before:], nil))
			r.complete()
			if fault := r.faults.Total > 0; fault != test.fault {
				t.Errorf("%v", r.faults.List)
			}
		})
	}
}

func TestLateHistory(t *testing.T) {
	t.Parallel()
	log := makeLog(rand.New(rand.NewPCG(3, 1)), 3, 30)
	r := newRoom(1, GroupOptions{Lanes: 3, Late: true})
	r.feed(0, render(log[12:], nil))
	if r.faults.Total > 0 {
		t.Error(r.faults.List[0])
	}
	r = newRoom(1, GroupOptions{Lanes: 3, Late: true})
	r.feed(0, render(append(slices.Clone(log[12:20]), log[21:]...), nil))
	if r.faults.Total == 0 {
		t.Error("a loss in the middle was not found")
	}
}

func TestSingleGroupKeepsOnlyTheLastEvent(t *testing.T) {
	t.Parallel()
	log := makeLog(rand.New(rand.NewPCG(1, 1)), 1, 50)
	r := newRoom(1, GroupOptions{Lanes: 1, Single: true})
	r.feed(0, render(log, nil))
	r.complete()
	if r.faults.Total > 0 || r.g.Len() != 50 || len(r.g.entries) != 1 || string(r.streams[0].LastID()) != log[49].id {
		t.Errorf("%v, %d events, %d kept", r.faults.List, r.g.Len(), len(r.g.entries))
	}
	r.feed(0, log[48].frame())
	if r.faults.Total != 1 {
		t.Error("a doubled event was not found")
	}
}

// FuzzReader must not panic, whatever a hub sends, and must give the same answer however it is cut.
func FuzzReader(f *testing.F) {
	log := makeLog(rand.New(rand.NewPCG(1, 1)), 2, 4)
	f.Add(render(log, nil), 50)
	f.Add(":\n\n"+render(log[:2], nil)+":\n"+render(log[2:], nil), 7)
	f.Add("data: \n\n", 1)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		if piece < 1 || len(text) > 1<<13 {
			return
		}
		whole, parts := newRoom(2, GroupOptions{Lanes: 2}), newRoom(2, GroupOptions{Lanes: 2})
		for i := range 2 {
			n := whole.feed(i, text)
			m := 0
			for at := 0; at < len(text); at += piece {
				if piece > len(text)-at {
					piece = len(text) - at
				}
				m += parts.feed(i, text[at:at+piece])
			}
			if n != m || whole.faults.Total != parts.faults.Total {
				t.Fatalf("%d events and %v at once, %d and %v in pieces", n, whole.faults.List, m, parts.faults.List)
			}
		}
	})
}

// BenchmarkFeed is what checking costs the load program for each event: with the record, as all streams but
// the first of a group do it, and by parsing.
func BenchmarkFeed(b *testing.B) {
	log := makeLog(rand.New(rand.NewPCG(1, 1)), 4, 300)
	text := []byte(render(log, nil))
	buf := make([]byte, len(text))
	for _, single := range []bool{false, true} {
		name := "compared"
		if single {
			name = "parsed"
		}
		b.Run(name, func(b *testing.B) {
			r := newRoom(1, GroupOptions{Lanes: 4, Single: single})
			r.feed(0, string(text))
			for range b.N / len(log) {
				s := NewReader(ReaderOptions{Group: r.g, Faults: &r.faults, Latency: &r.latency, Scanner: &r.scanner})
				if single {
					clear(r.g.next)
					r.g.count = 0
				}
				copy(buf, text)
				s.Feed(buf, 1_000_000)
			}
			if r.faults.Total > 0 {
				b.Fatal(r.faults.List[0])
			}
			b.ReportMetric(float64(len(text))/float64(len(log)), "bytes/event")
		})
	}
}
