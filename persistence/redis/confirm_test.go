package redis

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"hubd/internal/hubtest/engines"
	"hubd/mercure"
	"hubd/persistence"
)

// pair is a master with a replica, and nodes whose appends wait for that.
type pair struct {
	master, replica *engines.Redis
	prefix          string
	a, b            *Log
	tail            *watched // of b
}

func newPair(t *testing.T, timeout time.Duration) *pair {
	t.Helper()
	p := &pair{master: engines.StartRedis(t, promptly...), replica: engines.StartRedis(t, promptly...), prefix: newPrefix()}
	follow(t, p.replica, p.master)
	t.Cleanup(p.replica.Continue)
	p.a, p.b = p.open(t, within), p.open(t, timeout)
	p.tail = watch(t, p.b)
	return p
}

func (p *pair) open(t *testing.T, timeout time.Duration) *Log {
	t.Helper()
	return openLog(t, Options{URL: p.master.URL() + "?wait-replicas=1", Prefix: p.prefix, Timeout: timeout})
}

// abandon stores events as an appender does that dies before it learns what the replicas have.
func (p *pair) abandon(t *testing.T, ids ...string) {
	t.Helper()
	batch := make([]*mercure.Event, len(ids))
	for i, id := range ids {
		batch[i] = event(id)
	}
	unconfirmed := p.a.scripts.append
	unconfirmed.alone = true
	k := &p.a.keys
	if _, err := p.a.engine.run(t.Context(), &unconfirmed, []string{k.meta, k.log, k.wake, k.ids, k.chosen, k.ages, k.writer},
		slices.Clone(p.a.arguments(batch, time.Now(), p.a.retention))); err != nil {
		t.Fatal(err)
	}
}

// awaitStored waits until the master has stored events up to the position.
func (p *pair) awaitStored(t *testing.T, position uint64) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		if head := p.master.Must(t, "HGET", p.a.keys.meta, "head"); head == strconv.FormatUint(position, 10) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the event does not come to the master")
		}
	}
}

// woken returns the entry that nodes wait for.
func (p *pair) woken(t *testing.T) string {
	t.Helper()
	return p.master.Must(t, "EVAL", "return redis.call('XREVRANGE', KEYS[1], '+', '-')[1][1]", "1", p.a.keys.wake)
}

// watched is a tail with its notifications.
type watched struct {
	persistence.Tail
	woken chan struct{}
}

func watch(t *testing.T, log *Log) *watched {
	t.Helper()
	w := &watched{woken: make(chan struct{}, 1)}
	_, head := log.Bounds()
	tail, err := log.Tail(head, func() {
		select {
		case w.woken <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tail.Close)
	w.Tail = tail
	return w
}

func (w *watched) next(t *testing.T) (ids []string) {
	t.Helper()
	events, err := w.Next(nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		ids = append(ids, e.ID())
	}
	return ids
}

// await waits, woken by notifications alone, until the events have come.
func (w *watched) await(t *testing.T, ids ...string) {
	t.Helper()
	var got []string
	for late := time.After(within); len(got) < len(ids); {
		select {
		case <-w.woken:
			got = append(got, w.next(t)...)
		case <-late:
			t.Fatalf("%q came, want %q", got, ids)
		}
	}
	if !slices.Equal(got, ids) {
		t.Fatalf("%q came, want %q", got, ids)
	}
}

// wantHidden checks that a log shows nothing after the position.
func wantHidden(t *testing.T, log *Log, position uint64, id string) {
	t.Helper()
	if _, head := log.Bounds(); head != position {
		t.Errorf("the head is %d, want %d", head, position)
	}
	if page, err := log.Read(position, 1<<20); err != nil || len(page) > 0 {
		t.Errorf("read: %d events, %v", len(page), err)
	}
	if _, found, err := log.Find(id); err != nil || found {
		t.Errorf("find of %q: %t, %v", id, found, err)
	}
}

// No node shows an event before as many replicas have it as appends wait for: with the master it would be lost, and its
// position taken by another.
func TestUnconfirmedEventsAreNotShown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 2*time.Second)
	appendTo(t, p.a, "first")
	p.tail.await(t, "first")
	own := watch(t, p.a)
	p.replica.Pause()
	appended := make(chan error, 1)
	go func() {
		_, err := p.a.Append([]*mercure.Event{event("second")})
		appended <- err
	}()
	p.awaitStored(t, 2)
	if entry := p.woken(t); entry != "1-0" {
		t.Errorf("nodes are woken for %s, which nobody may see", entry)
	}
	// Whoever asks for what other nodes have stored is told that it is in doubt.
	if err := p.b.Refresh(t.Context()); !errors.Is(err, errFewReplicas) {
		t.Errorf("refresh: %v", err)
	}
	wantHidden(t, p.b, 1, "second")
	wantHidden(t, p.a, 1, "second")
	if ids := slices.Concat(p.tail.next(t), own.next(t)); len(ids) > 0 {
		t.Errorf("tails have brought %q", ids)
	}
	if err := p.b.Contact(); err != nil {
		t.Errorf("the engine answers, but contact is %v", err)
	}
	p.replica.Continue()
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
	if entry := p.woken(t); entry != "2-0" {
		t.Errorf("nodes are woken for %s, want 2-0", entry)
	}
	own.await(t, "second")
	p.tail.await(t, "second")
}

// What its appender could not answer for is confirmed by another node, within a bounded time and without any append.
func TestAppenderDiesBeforeItConfirms(t *testing.T) {
	t.Parallel()
	p := newPair(t, within)
	p.abandon(t, "one", "two")
	p.tail.await(t, "one", "two")
	if confirmed := p.master.Must(t, "HGET", p.a.keys.meta, "confirmed"); confirmed != "2" {
		t.Errorf("confirmed is %s, want 2", confirmed)
	}
	// A client that comes from elsewhere does not wait for that.
	p.abandon(t, "three")
	if err := p.b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if position, found, err := p.b.Find("three"); err != nil || !found || position != 3 {
		t.Errorf("after a refresh: (%d, %t), %v", position, found, err)
	}
	p.tail.await(t, "three")
	if events := readAll(t, p.open(t, within)); len(events) != 3 {
		t.Errorf("a new node has %d events, want 3", len(events))
	}
}

// The next append is confirmed with everything before it, so that nobody asks the replicas twice.
func TestNextAppendConfirmsWhatCameBefore(t *testing.T) {
	t.Parallel()
	p := newPair(t, within)
	p.abandon(t, "one")
	appendTo(t, p.a, "two")
	if confirmed := p.master.Must(t, "HGET", p.a.keys.meta, "confirmed"); confirmed != "2" {
		t.Errorf("confirmed is %s, want 2", confirmed)
	}
	p.tail.await(t, "one", "two")
	if events := readAll(t, p.a); len(events) != 2 || events[0].ID() != "one" {
		t.Errorf("the appender has %d events, want 2", len(events))
	}
}

// A node that waits for no replica shows its events at once; one that does shows them when the replicas have them.
func TestAppendsThatWaitForNoReplica(t *testing.T) {
	t.Parallel()
	p := newPair(t, 2*time.Second)
	hasty := openLog(t, Options{URL: p.master.URL(), Prefix: p.prefix})
	appendTo(t, hasty, "one")
	p.tail.await(t, "one")
	p.replica.Pause()
	appendTo(t, hasty, "two")
	if events := readAll(t, hasty); len(events) != 2 {
		t.Errorf("it has %d events itself, want 2", len(events))
	}
	if err := p.b.Refresh(t.Context()); !errors.Is(err, errFewReplicas) {
		t.Errorf("refresh: %v", err)
	}
	wantHidden(t, p.b, 1, "two")
	p.replica.Continue()
	p.tail.await(t, "two")
}

// Retention may take events before anybody could see them.
func TestRetentionTakesUnconfirmedEvents(t *testing.T) {
	t.Parallel()
	p := newPair(t, within)
	appendTo(t, p.a, "one", "two")
	p.tail.await(t, "one", "two")
	p.a.retention = persistence.Retention{MaxEvents: 1}
	p.replica.Pause()
	p.abandon(t, "three", "four", "five")
	events, x, err := p.b.fetch(t.Context(), 0, 0, 1<<20, true)
	if want := (persistence.Extent{Before: 2, Head: 2, LastID: "two"}); err != nil || len(events) > 0 || x != want {
		t.Errorf("%d events, %+v, %v, want none and %+v", len(events), x, err, want)
	}
	p.replica.Continue()
	if err := p.b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if before, head := p.b.Bounds(); before != 4 || head != 5 {
		t.Errorf("bounds are (%d, %d), want (4, 5)", before, head)
	}
	p.tail.await(t, "five")
	if id := p.b.LastID(); id != "five" {
		t.Errorf("the last id is %q", id)
	}
}

// An event that died with the master was seen by nobody: where a replica without it takes over, no node has lost anything.
func TestMasterDiesBeforeReplicasHaveIt(t *testing.T) {
	t.Parallel()
	first, second, third := engines.StartRedis(t, promptly...), engines.StartRedis(t, promptly...), engines.StartRedis(t, promptly...)
	proxy := engines.StartProxy(t, first.Address)
	follow(t, second, first)
	url := "redis://" + proxy.Address + "?wait-replicas=1"
	a := openLog(t, Options{URL: url, Timeout: within})
	lost := make(chan [2]uint64, 10)
	b := openLog(t, Options{URL: url, Prefix: a.prefix, Timeout: within, Lost: func(after, upto uint64) { lost <- [2]uint64{after, upto} }})
	tail := watch(t, b)
	appendTo(t, a, "one")
	tail.await(t, "one")
	second.Must(t, "REPLICAOF", "NO", "ONE")
	appended := make(chan error, 1)
	go func() {
		_, err := a.Append([]*mercure.Event{event("two")})
		appended <- err
	}()
	(&pair{master: first, a: a}).awaitStored(t, 2)
	follow(t, third, second)
	proxy.Retarget(second.Address)
	first.Kill()
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
	tail.await(t, "two")
	events := readAll(t, openLog(t, Options{URL: url, Prefix: a.prefix, Timeout: within}))
	if len(events) != 2 || events[1].ID() != "two" || len(lost) > 0 {
		t.Errorf("%d events are stored, lost were %d times; want two and nothing lost", len(events), len(lost))
	}
}

// What replicas confirmed to one server says nothing of another that has taken over without it.
func TestConfirmationOfAnotherServer(t *testing.T) {
	t.Parallel()
	log := openLog(t, Options{URL: server.URL()})
	appendTo(t, log, "one", "two")
	value := server.Must(t, "GET", log.keys.writer)
	for name, tc := range map[string]struct {
		key, value string
		position   uint64
	}{
		"another append":    {log.keys.writer, "9 9", 2},
		"no mark":           {log.keys.mark, "1", 2},
		"after its newest":  {log.keys.writer, value, 3},
		"a position it has": {log.keys.writer, value, 2},
	} {
		err := log.confirm(t.Context(), tc.key, tc.value, tc.position, "two")
		if want := name != "a position it has"; errors.Is(err, errReplaced) != want || (err != nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It does not go back.
	if err := log.confirm(t.Context(), log.keys.writer, value, 1, "one"); err != nil {
		t.Fatal(err)
	}
	if confirmed := server.Must(t, "HGET", log.keys.meta, "confirmed"); confirmed != "2" {
		t.Errorf("confirmed is %s, want 2", confirmed)
	}
}
