package actors

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
)

// streamID is an id for tests.
func streamID(n byte) StreamID { return StreamID{15: n} }

// attend opens a stream with an id on a pipe and waits for its head.
func (r *rig) attend(t *testing.T, id StreamID, pattern string, change func(o *Subscription)) *pipe {
	t.Helper()
	o, err := r.Prepare([]mercure.Matcher{{Type: mercure.Exact, Pattern: pattern}})
	if err != nil {
		t.Fatal(err)
	}
	p := newPipe()
	o.ID, o.Conn, o.Prelude = id, p, []byte("HEAD")
	if change != nil {
		change(o)
	}
	if err := r.Subscribe(o); err != nil {
		t.Fatal(err)
	}
	if got := p.next(t); got != "HEAD" {
		t.Fatalf("first write is %q", got)
	}
	return p
}

func (r *rig) store(t *testing.T, u *mercure.Update) string {
	t.Helper()
	id, err := r.Publish(u)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (r *rig) explain(t *testing.T, q Question) *Explanation {
	t.Helper()
	x, err := r.Explain(q)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// awaitOutcome asks until the answer is this one: what a stream has done since it was last heard of takes its time.
func (r *rig) awaitOutcome(t *testing.T, q Question, want Outcome) *Explanation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		x := r.explain(t, q)
		if x.Outcome == want {
			return x
		}
		select {
		case <-ctx.Done():
			t.Fatalf("outcome of %+v is %+v, want %s", q, x, want)
		case <-time.After(time.Millisecond):
		}
	}
}

// awaitFollowers waits until so many streams follow the topic live.
func (r *rig) awaitFollowers(t *testing.T, name string, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		l, err := r.RecentTopics(nil)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(l.Topics, func(l ListedTopic) bool { return l.Topic == name }); i >= 0 && *l.Topics[i].Streams == want {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%+v are followed, want %s by %d streams", l.Topics, name, want)
		}
	}
}

// Every outcome on streams that are open.
func TestExplainOpenStreams(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, memory.Options{}, Options{EndedStreams: 8, JournalRounds: 8})
	before := r.store(t, &mercure.Update{Topics: []string{"a"}, Data: "before"})
	cursor, err := r.Resolve(before)
	if err != nil {
		t.Fatal(err)
	}
	opened := time.Now()
	live := r.attend(t, streamID(1), "a", nil)
	resumed := r.attend(t, streamID(2), "a", func(o *Subscription) { o.Cursor = cursor })
	everything := r.attend(t, streamID(3), "a", func(o *Subscription) { o.Cursor = &Cursor{} })
	everything.next(t)
	r.awaitFollowers(t, "a", 3)
	other := r.store(t, &mercure.Update{Topics: []string{"b", "c"}})
	secret := r.store(t, &mercure.Update{Topics: []string{"a"}, Private: true})
	after := r.store(t, &mercure.Update{Topics: []string{"a"}, Data: "after"})
	for _, p := range []*pipe{live, resumed, everything} {
		p.next(t)
	}
	delivered := time.Now()

	for _, test := range []struct {
		name   string
		stream StreamID
		event  string
		want   Outcome
		by     string
	}{
		{"no such stream", streamID(9), after, UnknownStream, ""},
		{"no such event", streamID(1), "urn:nothing", UnknownEvent, ""},
		{"the earliest is no event", streamID(1), mercure.Earliest, UnknownEvent, ""},
		{"no matcher", streamID(1), other, NotSelected, ""},
		{"no grant", streamID(1), secret, NotGranted, ""},
		{"opened later", streamID(1), before, BeforeCursor, ""},
		{"its cursor", streamID(2), before, BeforeCursor, ""},
		{"replayed", streamID(3), before, Delivered, "history"},
		{"live", streamID(1), after, Delivered, "live"},
		{"live after a replay", streamID(3), after, Delivered, "live"},
	} {
		q := Question{Stream: test.stream, Event: test.event}
		x := r.awaitOutcome(t, q, test.want)
		if x.Text == "" || x.Stream != test.stream.String() || x.Event != test.event {
			t.Errorf("%s: %+v", test.name, x)
		}
		if (x.About == nil) != (test.want == UnknownStream) || (x.Update == nil) != (test.want == UnknownStream || test.want == UnknownEvent) {
			t.Errorf("%s: says %+v of the stream and %+v of the event", test.name, x.About, x.Update)
		}
		if x.Waiting != nil || (x.Delivery == nil) != (test.want != Delivered) {
			t.Fatalf("%s: waits %+v, delivered %+v", test.name, x.Waiting, x.Delivery)
		}
		if test.want != Delivered {
			continue
		}
		d := x.Delivery
		if d.By != test.by || d.NotBefore.After(d.NotAfter) || d.NotAfter.Before(opened) || d.NotAfter.After(delivered) {
			t.Errorf("%s: delivered %+v, the test did it from %s to %s", test.name, d, opened, delivered)
		}
		if live := test.by == "live"; d.FannedOut.IsZero() == live || live && d.NotBefore != d.FannedOut {
			t.Errorf("%s: fanned out at %s, delivered from %s on", test.name, d.FannedOut, d.NotBefore)
		}
	}
}

// An event that waits: in the queue of a socket that is full, or in the history of a stream that has not got there.
func TestExplainWaitingEvents(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, memory.Options{}, Options{EndedStreams: 8, JournalRounds: 8, DispatchTimeout: time.Hour, QueueBytes: 4000})
	full := &fullPipe{pipe: newPipe()}
	p := r.attend(t, streamID(1), "a", func(o *Subscription) { full.pipe = o.Conn.(*pipe); o.Conn = full })
	first := r.store(t, &mercure.Update{Topics: []string{"a"}, Data: "first"})
	x := r.awaitOutcome(t, Question{Stream: streamID(1), Event: first}, Waiting)
	if w := x.Waiting; w.For != "queue" || w.QueuedBytes == 0 || w.SocketFull.IsZero() || w.Since.Before(x.Update.Stored) {
		t.Errorf("waits %+v", w)
	}
	// So much that the queue overflows: the stream goes back to its history.
	var last string
	for range 8 {
		last = r.store(t, &mercure.Update{Topics: []string{"a"}, Data: strings.Repeat("x", 1000)})
	}
	for {
		x = r.awaitOutcome(t, Question{Stream: streamID(1), Event: last}, Waiting)
		if x.Waiting.For == "history" {
			break
		}
	}
	full.open(t)
	x = r.awaitOutcome(t, Question{Stream: streamID(1), Event: last}, Delivered)
	if d := x.Delivery; d.By != "live or history" || d.NotBefore.After(d.NotAfter) {
		t.Errorf("delivered %+v", d)
	}
	r.awaitOutcome(t, Question{Stream: streamID(1), Event: first}, Delivered)
	_ = p
}

// fullPipe takes the head and nothing more until it is opened.
type fullPipe struct {
	*pipe
	s    *Subscriber
	gate chan struct{}
}

func (p *fullPipe) Watch(s *Subscriber) {
	p.s, p.gate = s, make(chan struct{})
	p.pipe.Watch(s)
	p.discard = true
}

func (p *fullPipe) Write(b []byte) (int, error) {
	select {
	case <-p.gate:
	default:
		if p.begun {
			return 0, nil
		}
	}
	return p.pipe.Write(b)
}

func (p *fullPipe) open(t *testing.T) {
	t.Helper()
	close(p.gate)
	p.s.Writable()
}

// What is said of streams that have ended is what would have been said before, and why they ended.
func TestExplainEndedStreams(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, memory.Options{}, Options{EndedStreams: 2, JournalRounds: 8})
	p := r.attend(t, streamID(1), "a", nil)
	got := r.store(t, &mercure.Update{Topics: []string{"a"}, Data: "got"})
	p.next(t)
	r.awaitOutcome(t, Question{Stream: streamID(1), Event: got}, Delivered)
	p.s.Hangup()
	p.awaitClose(t)
	missed := r.store(t, &mercure.Update{Topics: []string{"a"}, Data: "missed"})
	x := r.awaitOutcome(t, Question{Stream: streamID(1), Event: missed}, Ended)
	if x.About.Reason != "client" || x.About.Ended.Before(x.About.Opened) || x.About.Ended.After(time.Now()) || !strings.Contains(x.Text, "(client)") {
		t.Errorf("%+v of %+v", x, x.About)
	}
	x = r.explain(t, Question{Stream: streamID(1), Event: got})
	if x.Outcome != Delivered || x.Delivery.NotAfter != x.About.Ended {
		t.Errorf("%+v: %+v", x, x.Delivery)
	}
	other := r.store(t, &mercure.Update{Topics: []string{"b"}})
	if x := r.explain(t, Question{Stream: streamID(1), Event: other}); x.Outcome != NotSelected {
		t.Errorf("%+v", x)
	}
	// Two more push it out.
	for n := range byte(2) {
		p := r.attend(t, streamID(n+2), "a", nil)
		p.s.Hangup()
		p.awaitClose(t)
		r.awaitOutcome(t, Question{Stream: streamID(n + 2), Event: missed}, BeforeCursor)
	}
	r.awaitOutcome(t, Question{Stream: streamID(1), Event: got}, UnknownStream)
	if n := r.RememberedStreams(); n != 2 {
		t.Errorf("%d streams are remembered", n)
	}
}

// Whoever asks with a token learns of streams and private events what it grants, and nothing else.
func TestExplainDisclosesWhatIsGranted(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, memory.Options{}, Options{EndedStreams: 8, JournalRounds: 8, HubPath: "/hub"})
	r.attend(t, streamID(1), "a", func(o *Subscription) {
		grants, err := r.space.NewSet([]mercure.Matcher{{Type: mercure.Exact, Pattern: "granted"}})
		if err != nil {
			t.Fatal(err)
		}
		o.Grants = grants
	})
	secret := r.store(t, &mercure.Update{Topics: []string{"a"}, Private: true})
	public := r.store(t, &mercure.Update{Topics: []string{"a"}})
	r.awaitOutcome(t, Question{Stream: streamID(1), Event: public}, Delivered)
	asker := func(patterns ...string) *Asker {
		ms := make([]mercure.Matcher, len(patterns))
		for i, pattern := range patterns {
			ms[i] = mercure.Matcher{Type: mercure.Template, Pattern: pattern}
		}
		grants, err := r.space.NewSet(ms)
		if err != nil {
			t.Fatal(err)
		}
		return &Asker{Grants: grants}
	}
	const subscriptions = "/hub/subscriptions/exact{/match}{/subscriber}"
	unknown := Question{Stream: streamID(2), Event: public, Asker: asker("a")}
	nothing := Question{Stream: streamID(1), Event: "urn:nothing", Asker: asker(subscriptions)}
	for _, test := range []struct {
		name  string
		q     Question
		want  Outcome
		alike *Question
	}{
		{"no grants at all", Question{Stream: streamID(1), Event: public, Asker: &Asker{}}, UnknownStream, &unknown},
		{"the event alone", Question{Stream: streamID(1), Event: public, Asker: asker("a")}, UnknownStream, &unknown},
		{"another subscriber", Question{Stream: streamID(1), Event: public, Asker: asker("/hub/subscriptions/exact/a/x")}, UnknownStream, &unknown},
		{"the stream alone", Question{Stream: streamID(1), Event: secret, Asker: asker(subscriptions)}, UnknownEvent, &nothing},
		{"the stream and a public event", Question{Stream: streamID(1), Event: public, Asker: asker(subscriptions)}, Delivered, nil},
		{"both", Question{Stream: streamID(1), Event: secret, Asker: asker(subscriptions, "a")}, NotGranted, nil},
		{"the operator", Question{Stream: streamID(1), Event: secret}, NotGranted, nil},
	} {
		x := r.explain(t, test.q)
		if x.Outcome != test.want {
			t.Errorf("%s: %+v", test.name, x)
		}
		if test.q.Asker != nil && x.About != nil && x.About.Grants != nil {
			t.Errorf("%s: the stream's grants are shown", test.name)
		}
		if test.q.Asker == nil && (len(x.About.Grants) != 1 || x.About.Grants[0].Match != "granted") {
			t.Errorf("%s: the stream's grants are shown as %v", test.name, x.About.Grants)
		}
		if test.alike != nil {
			same := r.explain(t, *test.alike)
			same.Stream, same.Event = x.Stream, x.Event
			if same.Outcome != x.Outcome || same.Text != x.Text || (same.About == nil) != (x.About == nil) || x.Update != nil {
				t.Errorf("%s: %+v, but without it %+v", test.name, x, same)
			}
		}
	}
}

// The outcomes that no hub shows at will, from what a stream might say of itself.
func TestExplainRareOutcomes(t *testing.T) {
	t.Parallel()
	m := newSimulation(t, 2, persistence.Retention{})
	want, err := m.space.NewSet([]mercure.Matcher{{Type: mercure.Exact, Pattern: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	e := &mercure.Event{Position: 10, Topics: []string{"a"}, Time: time.Unix(100, 0)}
	for _, test := range []struct {
		name    string
		i       inspection
		want    Outcome
		waiting string
	}{
		{"the hub is behind its log", inspection{live: true, dispatched: 9}, Waiting, "fan-out"},
		{"reading history", inspection{dispatched: 10}, Waiting, "history"},
		{"reading history up to where it is live", inspection{live: true, dispatched: 10, past: past{liveFrom: 10}}, Waiting, "history"},
		{"queued", inspection{live: true, dispatched: 10, waits: true}, Waiting, "queue"},
		{"passed over", inspection{live: true, dispatched: 10}, Unaccounted, ""},
		{"taken over from another process", inspection{past: past{begun: 10, continued: true}}, BeforeCursor, ""},
	} {
		x := &Explanation{}
		test.i.want = want
		x.judge(&test.i, e, time.Unix(200, 0))
		if x.Outcome != test.want || (test.waiting != "") != (x.Waiting != nil) || x.Waiting != nil && x.Waiting.For != test.waiting {
			t.Errorf("%s: %+v, waiting %+v", test.name, x, x.Waiting)
		}
	}
}
