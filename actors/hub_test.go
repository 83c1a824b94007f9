package actors

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"hubd/mercure"
	"hubd/persistence/memory"
	"hubd/topics"
)

func (d *direct) AppendAll(events []*mercure.Event) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.log.Append(events)
	return len(events), err
}

// rig is a hub with real actors over a log in memory.
type rig struct {
	*Hub
	log    *memory.Log
	space  *topics.Space
	system *actor.ActorSystem
}

// direct appends without a persistence actor.
type direct struct {
	mu  sync.Mutex
	log *memory.Log
}

func (d *direct) Append(e *mercure.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.log.Append([]*mercure.Event{e})
	return err
}

func newRig(t *testing.T) *rig { return newRigOf(t, memory.Options{}, Options{}) }

// newRigOf makes a rig of a log and of options, of which it sets what every hub needs.
func newRigOf(t *testing.T, lo memory.Options, o Options) *rig {
	t.Helper()
	log, err := memory.Open(lo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return newRigOn(t, log, o)
}

// newRigOn makes a rig on a log that is there.
func newRigOn(t *testing.T, log *memory.Log, o Options) *rig {
	t.Helper()
	space, err := topics.NewSpace(topics.Options{BaseURL: "https://hub.example/.well-known/mercure"})
	if err != nil {
		t.Fatal(err)
	}
	system := NewSystem(slog.New(slog.DiscardHandler))
	o.System, o.Store, o.Space = system, &direct{log: log}, space
	if o.Log == nil {
		o.Log = log
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Stop()
		h.Stop()
		space.Close()
	})
	return &rig{h, log, space, system}
}

// pipe is a connection whose far end is a channel of what was written.
type pipe struct {
	s       *Subscriber
	written chan string
	closed  chan struct{}
	once    sync.Once
	fail    func(p []byte) error
	// discard drops everything after the first write.
	discard bool
	begun   bool
}

func newPipe() *pipe { return &pipe{written: make(chan string, 1024), closed: make(chan struct{})} }

func (p *pipe) Watch(s *Subscriber) { p.s = s }

func (p *pipe) Write(b []byte) (int, error) {
	if p.fail != nil {
		if err := p.fail(b); err != nil {
			return 0, err
		}
	}
	if !p.discard || !p.begun {
		p.begun = true
		p.written <- string(b)
	}
	return len(b), nil
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-p.written:
		return s
	case <-time.After(time.Minute):
		t.Fatal("nothing was written")
		return ""
	}
}

func (p *pipe) awaitClose(t *testing.T) {
	t.Helper()
	select {
	case <-p.closed:
	case <-time.After(time.Minute):
		t.Fatal("stream was not closed")
	}
}

func (r *rig) subscribe(t *testing.T, p *pipe, pattern string, cursor *Cursor) {
	t.Helper()
	o, err := r.Prepare([]mercure.Matcher{{Type: mercure.Template, Pattern: pattern}})
	if err != nil {
		t.Fatal(err)
	}
	o.Cursor, o.Conn, o.Prelude = cursor, p, []byte("HEAD")
	if err := r.Subscribe(o); err != nil {
		t.Fatal(err)
	}
	if got := p.next(t); got != "HEAD" {
		t.Fatalf("first write is %q", got)
	}
}

func (r *rig) publish(t *testing.T, topic, data string) {
	t.Helper()
	if _, err := r.Publish(&mercure.Update{Topics: []string{topic}, Data: data}); err != nil {
		t.Fatal(err)
	}
}

// actors counts the actors that are registered.
func (r *rig) actors() int {
	n := 0
	for _, bucket := range r.system.ProcessRegistry.LocalPIDs.LocalPIDs {
		n += bucket.Count()
	}
	return n
}

func TestHubDelivers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(t, "a/1", "before")
	live, resumed := newPipe(), newPipe()
	r.subscribe(t, live, "a/{n}", nil)
	r.subscribe(t, resumed, "*", &Cursor{})
	r.publish(t, "a/2", "after")
	if got := live.next(t); !strings.Contains(got, "data: after\n") {
		t.Fatalf("live stream got %q", got)
	}
	if got := resumed.next(t); !strings.Contains(got, "data: before\n") {
		t.Fatalf("resumed stream got %q", got)
	} else if !strings.Contains(got, "data: after\n") {
		if got := resumed.next(t); !strings.Contains(got, "data: after\n") {
			t.Fatalf("resumed stream got %q", got)
		}
	}
}

func TestReservedTopicsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.Publish(&mercure.Update{Topics: []string{"a", "/.well-known/mercure/x"}}); !errors.Is(err, ErrReserved) {
		t.Fatalf("error is %v", err)
	}
}

// I5 in the small: what streams leave behind, with real actors.
func TestInvariantI5EndedStreamsLeaveNoActors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	warm := newPipe() // the first stream also brings the supervisor of all
	r.subscribe(t, warm, "*", nil)
	warm.s.Hangup()
	for r.streams.Load() > 0 {
		runtime.Gosched()
	}
	idle := r.actors()
	for range 5 {
		pipes := make([]*pipe, 100)
		for i := range pipes {
			pipes[i] = newPipe()
			var cursor *Cursor
			if i%2 == 0 {
				cursor = &Cursor{}
			}
			r.subscribe(t, pipes[i], []string{"a", "b/{x}", "*"}[i%3], cursor)
		}
		r.publish(t, "a", "1")
		r.publish(t, "b/2", "2")
		for _, p := range pipes {
			p.s.Hangup()
			p.s.Hangup()
			p.awaitClose(t)
		}
	}
	// The hub's mailbox is in order: once it answers, it has served every leave before.
	r.Drain(t.Context(), 0)
	if got := r.actors(); got != idle {
		t.Fatalf("%d actors are left, %d were there before", got, idle)
	}
	if s := r.Stats(); s.Connected() != 0 || s.Topics() != 0 || s.QueuedBytes() != 0 || s.Ended(ReasonClient) != 501 {
		t.Fatalf("left: %d connected, %d topics, %d queued bytes; %d ended by clients", s.Connected(), s.Topics(), s.QueuedBytes(), s.Ended(ReasonClient))
	}
}

func TestSubscriberFaultEndsItsStreamAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad, good := newPipe(), newPipe()
	bad.fail = func(b []byte) error {
		if string(b) != "HEAD" {
			panic("defect")
		}
		return nil
	}
	r.subscribe(t, bad, "*", nil)
	r.subscribe(t, good, "*", nil)
	r.publish(t, "a", "1")
	bad.awaitClose(t)
	good.next(t)
	r.publish(t, "a", "2")
	if got := good.next(t); !strings.Contains(got, "data: 2\n") {
		t.Fatalf("the other stream got %q", got)
	}
	r.Drain(t.Context(), 0)
	if got := r.Stats().Ended(ReasonFault); got != 1 {
		t.Fatalf("%d streams ended for a fault", got)
	}
}

func TestWriteErrorEndsStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := newPipe()
	p.fail = func(b []byte) error {
		if string(b) != "HEAD" {
			return errors.New("broken pipe")
		}
		return nil
	}
	r.subscribe(t, p, "*", nil)
	r.publish(t, "a", "1")
	p.awaitClose(t)
	r.Drain(t.Context(), 0) // the stream is counted after its connection has been closed
	if got := r.Stats().Ended(ReasonWriteError); got != 1 {
		t.Fatalf("%d streams ended for a write error", got)
	}
}

// A fault in the fan-out is reported instead of being passed over.
func TestSequencerFaultIsReported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := newPipe()
	r.subscribe(t, p, "*", nil)
	r.toHub(join{nil}) // what no part of the hub does
	select {
	case err := <-r.Fault():
		if !strings.Contains(err.Error(), "hub actor failed") {
			t.Fatalf("fault is %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("fault was not reported")
	}
	p.s.Hangup()
}

func TestHubStopsInEveryState(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	unstarted, err := New(r.o)
	if err != nil {
		t.Fatal(err)
	}
	unstarted.Stop()
	if err := unstarted.Start(); err == nil {
		t.Fatal("a stopped hub starts")
	}
	p := newPipe()
	r.subscribe(t, p, "*", nil)
	r.publish(t, "a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Drain(ctx, time.Hour) // an impatient operator
	p.awaitClose(t)
	if got := p.next(t); !strings.Contains(got, "data: 1\n") && !strings.Contains(got, "retry: ") {
		t.Fatalf("last words are %q", got)
	}
	if err := r.Subscribe(&Subscription{}); !errors.Is(err, ErrStopping) {
		t.Fatalf("subscribing to a stopping hub: %v", err)
	}
}
