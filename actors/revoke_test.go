package actors

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
	"hubd/topics"
)

// blacklist is a table of revoked subjects.
type blacklist struct{ subjects sync.Map }

func (b *blacklist) has(i *Identity) bool {
	_, ok := b.subjects.Load(i.Subject)
	return ok
}

// open opens a stream of the subject that may read everything, without waiting for its first write.
func (r *rig) open(t *testing.T, p *pipe, subject, pattern string, cursor *Cursor) {
	t.Helper()
	o, err := r.Prepare([]mercure.Matcher{{Type: mercure.Template, Pattern: pattern}})
	if err != nil {
		t.Fatal(err)
	}
	if o.Grants, err = r.space.NewSet([]mercure.Matcher{{Type: mercure.Template, Pattern: "*"}}); err != nil {
		t.Fatal(err)
	}
	o.Cursor, o.Conn, o.Prelude = cursor, p, []byte("HEAD")
	if subject != "" {
		o.Identity = &Identity{Subject: subject}
	}
	if err := r.Subscribe(o); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) private(t *testing.T, topic, data string) {
	t.Helper()
	if _, err := r.Publish(&mercure.Update{Topics: []string{topic}, Data: data, Private: true}); err != nil {
		t.Fatal(err)
	}
}

func TestRevokeEndsStreams(t *testing.T) {
	t.Parallel()
	var list blacklist
	r := newRigOf(t, memory.Options{}, Options{Revoked: list.has})
	pipes := map[string]*pipe{}
	for _, s := range []struct{ name, subject, pattern string }{
		{"alice, a", "alice", "a"}, {"alice, all", "alice", "*"}, {"bob, a", "bob", "a"},
		{"bob, b", "bob", "b"}, {"nobody, b", "", "b"}, {"bob, pattern", "bob", "x/{y}"},
	} {
		p := newPipe()
		pipes[s.name] = p
		r.open(t, p, s.subject, s.pattern, nil)
		p.next(t)
	}
	expect := func(topics []string, names ...string) {
		t.Helper()
		ended, err := r.Revoke(topics)
		if err != nil || ended != len(names) {
			t.Fatalf("%d streams ended, %v; want %q", ended, err, names)
		}
		for _, name := range names {
			pipes[name].awaitClose(t)
			delete(pipes, name)
		}
	}
	expect(nil)
	list.subjects.Store("alice", true)
	expect(nil, "alice, a", "alice, all")
	expect([]string{"b"}, "bob, b", "nobody, b")
	expect([]string{"x", "a/b", "x/1/2"})
	expect([]string{"x/1"}, "bob, pattern")
	// What is left goes on.
	r.private(t, "a", "still")
	if got := pipes["bob, a"].next(t); !strings.Contains(got, "data: still\n") {
		t.Errorf("got %q", got)
	}
	// Ended is counted on the subscriber's own time; the hub answers Drain when all have left.
	r.Drain(t.Context(), 0)
	if n := r.Stats().Ended(ReasonRevoked); n != 5 {
		t.Errorf("%d streams ended as revoked", n)
	}
	if _, err := r.Revoke(nil); err == nil {
		t.Error("a hub that stops revokes")
	}
}

// I3: an event stored after a revocation was answered never reaches a stream that it names: not one that is
// live, not one that reads history, and not one that is opened at the same moment by a token that was verified before.
func TestInvariantI3NothingAfterARevocation(t *testing.T) {
	t.Parallel()
	for round := range 150 {
		var revoked atomic.Bool
		r := newRigOf(t, memory.Options{}, Options{Revoked: func(*Identity) bool { return revoked.Load() }})
		for n := range 20 {
			r.private(t, "a", fmt.Sprint("before ", n))
		}
		pipes := make([]*pipe, 12)
		for i := range pipes {
			pipes[i] = newPipe()
		}
		cursor := func(i int) *Cursor {
			if i%2 == 0 {
				return nil
			}
			return &Cursor{}
		}
		// A third are open, the others are opened while the revocation is under way.
		for i := range 4 {
			r.open(t, pipes[i], "alice", "a", cursor(i))
		}
		var opening sync.WaitGroup
		begin := make(chan struct{})
		for i := 4; i < len(pipes); i++ {
			opening.Go(func() {
				<-begin
				r.open(t, pipes[i], "alice", "a", cursor(i))
			})
		}
		close(begin)
		revoked.Store(true)
		if _, err := r.Revoke(nil); err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			r.private(t, "a", fmt.Sprint("after ", n))
		}
		opening.Wait()
		for i, p := range pipes {
			p.awaitClose(t)
			for len(p.written) > 0 {
				if got := <-p.written; strings.Contains(got, "after") {
					t.Fatalf("round %d: stream %d got %q", round, i, got)
				}
			}
		}
		r.Stop()
	}
}

// What a released stream leaves behind says whose it is, and the hub that goes on with it asks about it.
func TestRevokedStreamsDoNotGoOnElsewhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice, bob := newPipe(), newPipe()
	r.open(t, alice, "alice", "a", nil)
	r.open(t, bob, "bob", "a", nil)
	alice.next(t)
	bob.next(t)
	left := r.Release(t.Context())

	var list blacklist
	list.subjects.Store("alice", true)
	next := newRigOn(t, r.log, Options{Revoked: list.has})
	for _, o := range left {
		o.Want = again(t, next.space, o.Want)
		o.Grants = again(t, next.space, o.Grants)
		if err := next.Subscribe(o); err != nil {
			t.Fatal(err)
		}
	}
	alice.awaitClose(t)
	next.private(t, "a", "for bob")
	if got := bob.next(t); !strings.Contains(got, "data: for bob\n") {
		t.Errorf("bob got %q", got)
	}
	list.subjects.Store("bob", true)
	if n, err := next.Revoke(nil); n != 1 || err != nil {
		t.Errorf("%d streams ended: %v", n, err)
	}
	bob.awaitClose(t)
}

// again compiles the set in another space.
func again(t *testing.T, space *topics.Space, set *topics.Set) *topics.Set {
	t.Helper()
	var ms []mercure.Matcher
	for _, sel := range set.Selectors() {
		ms = append(ms, sel.Matcher())
	}
	made, err := space.NewSet(ms)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// asked is a mailer of a subscriber that notes in what order it is asked.
type asked struct {
	*simulation
	steps []string
}

func (a *asked) toHub(message any) { a.steps = append(a.steps, fmt.Sprintf("%T", message)) }

func (a *asked) revoked(*Identity) bool {
	a.steps = append(a.steps, "revoked?")
	return true
}

// The order on which Hub.Revoke relies: a stream is in the hub's mailbox before it asks whether it is revoked, so a
// revocation that it does not see yet will see it.
func TestStreamIsEnrolledBeforeItAsks(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{true, false} {
		a := &asked{simulation: newSimulation(t, 1, persistence.Retention{})}
		s := &Subscriber{hub: a, conn: new(client), member: -1, identity: new(Identity)}
		s.deadline.subscriber = s
		s.begin(live)
		if got := strings.Join(a.steps, " "); got != "actors.enrol revoked? actors.leave" || len(a.reads) > 0 {
			t.Errorf("live %t: %s, then %d pages are read", live, got, len(a.reads))
		}
	}
}
