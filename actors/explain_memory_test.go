package actors

import (
	"strings"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
)

// The journal knows the newest rounds and says so of no other.
func TestJournal(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	j := newJournal(3, func() time.Time { return now })
	if got := j.at(1); !got.IsZero() {
		t.Errorf("an empty journal knows %s", got)
	}
	for n, round := range []struct{ first, last uint64 }{{1, 1}, {2, 5}, {8, 9}, {10, 10}} {
		now = time.Unix(1000+int64(n), 0)
		j.note(round.first, round.last)
	}
	for position, want := range map[uint64]int64{1: 0, 2: 1001, 4: 1001, 5: 1001, 6: 0, 7: 0, 8: 1002, 9: 1002, 10: 1003, 11: 0} {
		got := j.at(position)
		if want == 0 && !got.IsZero() || want != 0 && !got.Equal(time.Unix(want, 0)) {
			t.Errorf("%d was fanned out at %s, want %d", position, got, want)
		}
	}
	off := newJournal(0, time.Now)
	off.note(1, 1)
	if got := off.at(1); !got.IsZero() {
		t.Errorf("no journal knows %s", got)
	}
}

// Noting a round takes no memory: it is on the way of every event.
func TestJournalDoesNotAllocate(t *testing.T) { // not parallel: it counts allocations
	j := newJournal(8, time.Now)
	position := uint64(0)
	if n := testing.AllocsPerRun(100, func() { position++; j.note(position, position) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A round is noted before it is handed over: no delivery is earlier than its fan-out.
func TestRoundsAreNotedBeforeTheyAreHandedOver(t *testing.T) {
	t.Parallel()
	m, c := begun(t, 1000)
	var handedOver []bool
	m.q.journal = newJournal(8, func() time.Time {
		handedOver = append(handedOver, c.s.audience.posts.filled())
		return m.clock
	})
	m.publish()
	m.stepHub()
	if len(handedOver) != 1 || handedOver[0] || !c.s.audience.posts.filled() {
		t.Errorf("handed over when noted: %v, and then: %v", handedOver, c.s.audience.posts.filled())
	}
}

// I4: what is remembered of streams that have ended is bounded in number and in the size of their matchers.
func TestInvariantI4EndedStreamsAreBounded(t *testing.T) {
	t.Parallel()
	m := newSimulation(t, 2, persistence.Retention{})
	const most = 50
	d := newDeparted(most)
	ended := func(n, size, matchers int) leave {
		ms := make([]mercure.Matcher, matchers)
		for i := range ms {
			ms[i] = mercure.Matcher{Type: mercure.Exact, Pattern: strings.Repeat("x", size-i)}
		}
		want, err := m.space.NewSet(ms)
		if err != nil {
			t.Fatal(err)
		}
		return leave{s: &Subscriber{want: want, past: past{id: StreamID{byte(n), byte(n >> 8), 1}}}}
	}
	for n := range 3 * most {
		d.add(ended(n, 10, 1))
		if got, want := d.remembered(), min(n+1, most); got != want {
			t.Fatalf("%d of %d streams are remembered, want %d", got, n+1, want)
		}
	}
	if d.find(StreamID{byte(3*most - 1), 0, 1}) == nil || d.find(StreamID{byte(2*most - 1), 0, 1}) != nil {
		t.Error("not the newest are remembered")
	}
	if newest := d.newest(2); len(newest) != 2 || newest[0].id[0] != 3*most-1 {
		t.Errorf("the newest are %v", newest)
	}
	const long = 4000
	for n := range most {
		d.add(ended(1000+n, long, 1))
		if d.bytes > most*departedBudget {
			t.Fatalf("%d bytes are remembered, at most %d may be", d.bytes, most*departedBudget)
		}
	}
	if n := d.remembered(); n != most*departedBudget/(departedCost+256+4*long) {
		t.Errorf("%d streams with long matchers are remembered", n)
	}
	d.add(ended(9999, long, 4))
	if d.find(StreamID{byte(9999 % 256), byte(9999 >> 8), 1}) != nil {
		t.Error("a stream larger than the bound is remembered")
	}
	sum := 0
	for i := range d.remembered() {
		sum += d.ring[(d.oldest+i)%most].cost
	}
	if sum != d.bytes {
		t.Errorf("%d bytes are counted, there are %d", d.bytes, sum)
	}
	none := newDeparted(0)
	none.add(ended(1, 1, 1))
	if none.remembered() != 0 || none.find(StreamID{1}) != nil || none.newest(1) != nil {
		t.Error("streams are remembered although none may be")
	}
}

// The list of streams, for the operator: by topic and subject, page by page, and those that ended.
func TestStreamsAreListed(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, memory.Options{}, Options{EndedStreams: 8})
	for n := range byte(5) {
		topic := "a"
		if n == 0 {
			topic = "b"
		}
		r.attend(t, streamID(n+1), topic, func(o *Subscription) {
			if n == 4 {
				o.Identity = &Identity{Subject: "someone"}
			}
		})
	}
	p := r.attend(t, streamID(9), "a", nil)
	p.s.Hangup()
	for {
		l := r.list(t, StreamFilter{Limit: 10})
		if l.Open == 5 && len(l.Ended) == 1 && l.Ended[0].Reason == "client" && l.Ended[0].Stream == streamID(9).String() {
			break
		}
	}
	for _, test := range []struct {
		name         string
		f            StreamFilter
		matching, at int
		next         bool
		listed       int
	}{
		{"all", StreamFilter{Limit: 10}, 5, 1, false, 5},
		{"by topic", StreamFilter{Limit: 10, Topic: "a"}, 4, 2, false, 4},
		{"by subject", StreamFilter{Limit: 10, Subject: "someone"}, 1, 5, false, 1},
		{"a page", StreamFilter{Limit: 2}, 5, 1, true, 2},
		{"the next page", StreamFilter{Limit: 2, After: streamID(2)}, 5, 3, true, 2},
		{"the last page", StreamFilter{Limit: 2, After: streamID(4)}, 5, 5, false, 1},
		{"counts alone", StreamFilter{}, 5, 0, false, 0},
	} {
		l := r.list(t, test.f)
		if l.Open != 5 || l.Matching != test.matching || len(l.Streams) != test.listed || (l.Next != "") != test.next {
			t.Errorf("%s: %+v", test.name, l)
			continue
		}
		if test.listed > 0 && l.Streams[0].Stream != streamID(byte(test.at)).String() {
			t.Errorf("%s: begins with %s", test.name, l.Streams[0].Stream)
		}
	}
}

func (r *rig) list(t *testing.T, f StreamFilter) *StreamList {
	t.Helper()
	l, err := r.Streams(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Each stream has subscription events with a topic of its own: they would hide all others.
func TestRecentTopicsLeavesOutSubscriptionEvents(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, memory.Options{}, Options{HubPath: "/hub"})
	for _, name := range []string{"a", "b", "/hub/subscriptions/exact/a/x", "/hub/subscriptions/exact/a/y"} {
		r.store(t, &mercure.Update{Topics: []string{name}})
	}
	l, err := r.RecentTopics(nil)
	if err != nil || l.Updates != 4 || l.SubscriptionEvents != 2 || l.Found != 2 || len(l.Topics) != 2 || l.Topics[1].Topic != "b" {
		t.Errorf("%+v, %v", l, err)
	}
	grants, err := r.space.NewSet([]mercure.Matcher{{Type: mercure.Exact, Pattern: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if l, err = r.RecentTopics(&Asker{Grants: grants}); err != nil || l.SubscriptionEvents != 0 || l.Found != 1 || l.Topics[0].Topic != "a" || l.Topics[0].Streams != nil {
		t.Errorf("to those who may not know of subscriptions: %+v, %v", l, err)
	}
}
