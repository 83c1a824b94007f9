package redis

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/internal/hubtest/engines"
	"hubd/mercure"
	"hubd/persistence"
)

// A server that syncs each write loses nothing that was acknowledged when it is killed.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t)
	log := openLog(t, Options{URL: r.URL(), Timeout: within})
	other := openLog(t, Options{URL: r.URL(), Prefix: log.prefix})
	w := startWriter(log)
	for range 4 {
		w.await(t, 20)
		r.Kill()
		r.Restart(t)
	}
	w.await(t, 20)
	w.stop()
	w.check(t, log)
	w.check(t, other)
	w.check(t, openLog(t, Options{URL: r.URL(), Prefix: log.prefix}))
	if w.doubtful > 0 {
		t.Errorf("%d appends failed, although the server came back in time", w.doubtful)
	}
}

// A server that hangs makes appends fail in time, and what it still had to read is stored once.
func TestServerPaused(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t)
	log := openLog(t, Options{URL: r.URL(), Timeout: time.Second})
	w := startWriter(log)
	w.await(t, 5)
	r.Pause()
	w.awaitThat(t, func() bool { return w.doubtful >= 2 })
	if _, err := log.Read(0, 1); err != nil {
		t.Errorf("the newest events cannot be read from memory: %v", err)
	}
	r.Continue()
	w.await(t, 5)
	w.stop()
	w.check(t, log)
}

// An append that failed while the server hung is either stored for good when the next one succeeds, or never.
func TestLateBatch(t *testing.T) {
	t.Parallel()
	log := openLog(t, Options{URL: server.URL()})
	late := append([]string(nil), log.arguments([]*mercure.Event{event("late")}, time.Now(), persistence.Retention{})...)
	if _, err := log.Append(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := log.transmit(t.Context(), late); !errors.Is(err, errStale) {
		t.Fatalf("a batch that comes after the one behind it: %v", err)
	}
	twice := append([]string(nil), log.arguments([]*mercure.Event{event("twice"), event("")}, time.Now(), persistence.Retention{})...)
	first, err := log.transmit(t.Context(), twice)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := log.transmit(t.Context(), twice); err != nil || again != first {
		t.Fatalf("a batch that is sent twice: %+v, %v, want %+v", again, err, first)
	}
	if position, err := log.Append(nil); err != nil || position != 3 {
		t.Fatalf("the next position is %d, %v, want 3", position, err)
	}
}

// promptly makes a master serve a new replica at once.
var promptly = []string{"--repl-diskless-sync-delay", "0"}

// With wait-replicas, a replica that takes over has all that was acknowledged.
func TestReplicaPromoted(t *testing.T) {
	t.Parallel()
	first, second, third := engines.StartRedis(t, promptly...), engines.StartRedis(t, promptly...), engines.StartRedis(t, promptly...)
	proxy := engines.StartProxy(t, first.Address)
	follow(t, second, first)
	log := openLog(t, Options{URL: "redis://" + proxy.Address + "/0?wait-replicas=1", Timeout: within})
	for _, caveat := range log.Caveats() {
		t.Errorf("caveat: %s", caveat)
	}
	w := startWriter(log)
	w.await(t, 50)
	proxy.Retarget(second.Address)
	first.Kill()
	second.Must(t, "REPLICAOF", "NO", "ONE")
	follow(t, third, second)
	w.await(t, 20)
	w.stop()
	w.check(t, log)
}

// follow makes a server the replica of another and waits until it is.
func follow(t *testing.T, replica, master *engines.Redis) {
	t.Helper()
	replica.Must(t, "REPLICAOF", "127.0.0.1", master.Port())
	for deadline := time.Now().Add(within); ; {
		if strings.Contains(replica.Must(t, "INFO", "replication"), "master_link_status:up") &&
			strings.Contains(master.Must(t, "INFO", "replication"), "state=online") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the replica does not come up")
		}
	}
}

// An append that too few replicas confirm fails, and is stored once for all that.
func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t)
	log, err := Open(t.Context(), Options{URL: r.URL() + "?wait-replicas=1", Timeout: 2 * time.Second})
	if err == nil {
		_ = log.Close()
	}
	if !errors.Is(err, persistence.ErrUnavailable) || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Fatalf("open without the replica: %v", err)
	}
}

// What an engine has lost is passed over: no position is used again, whichever node is first to see.
func TestEventsLost(t *testing.T) {
	t.Parallel()
	for name, byAppend := range map[string]bool{"the follower sees it": false, "an append sees it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &place{server: server, prefix: newPrefix()}
			lost := make(chan [2]uint64, 100)
			log := openLog(t, Options{URL: server.URL(), Prefix: p.prefix, Lost: func(after, upto uint64) { lost <- [2]uint64{after, upto} }})
			p.log = log
			kept := appendTo(t, log, "kept-1", "kept-2")
			restore := p.Snapshot(t, nil)
			appendTo(t, log, "lost-1", "", "lost-2")
			restore()
			if byAppend {
				next := appendTo(t, log, "next")
				if next[0].Position != 6 {
					t.Fatalf("the next event is at %d, want 6", next[0].Position)
				}
			}
			select {
			case l := <-lost:
				if l != [2]uint64{2, 5} {
					t.Errorf("lost are %v, want 3 to 5", l)
				}
			case <-time.After(within):
				t.Fatal("nothing is said of lost events")
			}
			if position := awaitEmptyAppend(t, log, 6); byAppend != (position == 7) {
				t.Fatalf("the next position is %d", position)
			}
			events := readAll(t, openLog(t, Options{URL: server.URL(), Prefix: p.prefix}))
			if len(events) < 5 || events[0].ID() != kept[0].ID() || len(events[2].Topics)+len(events[3].Topics)+len(events[4].Topics) != 0 {
				t.Fatalf("%d events, want two with topics, then three without", len(events))
			}
		})
	}
}

// awaitEmptyAppend tries until the next position is at least the one given.
func awaitEmptyAppend(t *testing.T, log *Log, atLeast uint64) uint64 {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		position, err := log.Append(nil)
		if err == nil && position >= atLeast {
			return position
		}
		if time.Now().After(deadline) {
			t.Fatalf("the next position is %d, %v", position, err)
		}
	}
}

func appendTo(t *testing.T, log persistence.Log, ids ...string) []*mercure.Event {
	t.Helper()
	batch := make([]*mercure.Event, len(ids))
	for i, id := range ids {
		batch[i] = event(id)
	}
	if _, err := log.Append(batch); err != nil {
		t.Fatal(err)
	}
	return batch
}

// A server that kept nothing is given the store again, and positions and ids go on.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t)
	log := openLog(t, Options{URL: r.URL()})
	other := openLog(t, Options{URL: r.URL(), Prefix: log.prefix})
	made := appendTo(t, log, "", "chosen")[0].ID()
	r.Must(t, "FLUSHALL")
	next := appendTo(t, log, "", "chosen")
	if next[0].Position != 3 {
		t.Fatalf("the next event is at %d, want 3", next[0].Position)
	}
	if next[0].ID() == made {
		t.Fatal("an id was made twice")
	}
	if position := awaitEmptyAppend(t, other, 5); position != 5 {
		t.Fatalf("the other node goes on at %d, want 5", position)
	}
	position, found, err := openLog(t, Options{URL: r.URL(), Prefix: log.prefix}).Find(next[0].ID())
	if err != nil || !found || position != 3 {
		t.Fatalf("find is (%d, %t), %v; want 3", position, found, err)
	}
	// Where another hub's store has taken the place, nothing is mixed with it.
	r.Must(t, "FLUSHALL")
	r.Must(t, "HSET", log.keys.meta, "format", "hubd log 1", "store", "another", "key", strings.Repeat("00", 32), "before", "0", "head", "0", "sum", "0", "last", "")
	if _, err := log.Append([]*mercure.Event{event("")}); !errors.Is(err, errOther) || !errors.Is(err, persistence.ErrUnavailable) {
		t.Fatalf("append to another store: %v", err)
	}
}

// A hundred cuts leave no connection and no goroutine behind; TestMain looks for the latter.
func TestHundredCuts(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t, "--appendfsync", "no")
	proxy := engines.StartProxy(t, r.Address)
	log := openLog(t, Options{URL: "redis://" + proxy.Address, Timeout: within})
	w := startWriter(log)
	for range 100 {
		w.await(t, 2)
		proxy.Cut()
		proxy.Mend()
	}
	w.await(t, 2)
	w.stop()
	w.check(t, log)
	if n := proxy.Connections(); n > 20 {
		t.Errorf("the log has %d connections after 100 cuts", n/2)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(within); ; {
		clients := ""
		for line := range strings.Lines(r.Must(t, "INFO", "clients")) {
			if value, found := strings.CutPrefix(strings.TrimSpace(line), "connected_clients:"); found {
				clients = value
			}
		}
		if n, err := strconv.Atoi(clients); err == nil && n <= 1 { // the one that asks
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server has %s clients after the log was closed", clients)
		}
	}
}

// An entry that is damaged or was removed by hand costs the events in it and nothing else.
func TestDamagedEntry(t *testing.T) {
	t.Parallel()
	prefix := newPrefix()
	log := openLog(t, Options{URL: server.URL(), Prefix: prefix})
	appendTo(t, log, "a", "b")
	appendTo(t, log, "c")
	appendTo(t, log, "d", "e")
	appendTo(t, log, "f")
	server.Must(t, "XDEL", log.keys.log, "3-0")
	server.Must(t, "XDEL", log.keys.log, "6-0")
	server.Must(t, "XDEL", log.keys.log, "5-0")
	server.Must(t, "XADD", log.keys.log, "7-0", "n", "2", "s", "1", "f", "60", "z", "30 30 ", "r", "nonsense")
	server.Must(t, "HSET", log.keys.meta, "head", "7")
	server.Must(t, "XADD", log.keys.wake, "7-0", "h", "")
	var mu sync.Mutex
	damaged := map[uint64]bool{}
	second := openLog(t, Options{URL: server.URL(), Prefix: prefix, Damaged: func(position uint64, err error) {
		mu.Lock()
		defer mu.Unlock()
		if damaged[position] = true; !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("%v is not ErrCorrupt", err)
		}
	}})
	events := readAll(t, second)
	if len(events) != 7 || events[0].ID() != "a" || events[1].ID() != "b" {
		t.Fatalf("%d events, want 7", len(events))
	}
	for position := uint64(3); position <= 7; position++ {
		mu.Lock()
		if e := events[position-1]; !damaged[position] || len(e.Topics) > 0 || e.Position != position {
			t.Errorf("event %d at %d has topics %v, reported: %t", position, e.Position, e.Topics, damaged[position])
		}
		mu.Unlock()
	}
	if next := appendTo(t, second, "g"); next[0].Position != 8 {
		t.Errorf("the next event is at %d, want 8", next[0].Position)
	}
	// Retention removes it as anything else.
	third := openLog(t, Options{URL: server.URL(), Prefix: prefix, Retention: persistence.Retention{MaxEvents: 3, MaxBytes: math.MaxInt64}})
	if before, head := third.Bounds(); before != 5 || head != 8 {
		t.Errorf("bounds are (%d, %d), want (5, 8)", before, head)
	}
}
