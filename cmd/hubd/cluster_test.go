package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/internal/hubtest"
	"hubd/internal/hubtest/engines"
	"hubd/persistence"
	"hubd/persistence/bolt"
	"hubd/persistence/memory"
)

// sharedEngine is a server that hubs share, as the tests of clusters see it.
type sharedEngine struct {
	url     string
	kill    func()
	restart func(t testing.TB)
}

// onEngines runs the test on each of the engines.
func onEngines(t *testing.T, test func(t *testing.T, e *sharedEngine)) {
	t.Parallel()
	for name, start := range map[string]func(t testing.TB) *sharedEngine{
		"redis": func(t testing.TB) *sharedEngine {
			r := engines.StartRedis(t)
			return &sharedEngine{r.URL(), r.Kill, r.Restart}
		},
		"postgres": func(t testing.TB) *sharedEngine {
			p := engines.StartPostgres(t)
			return &sharedEngine{p.URL("postgres"), p.Kill, p.Restart}
		},
		"jetstream": func(t testing.TB) *sharedEngine {
			n := engines.StartNATS(t, true)
			return &sharedEngine{n.URL, n.Kill, func(t testing.TB) {
				if err := n.Restart(); err != nil {
					t.Fatal(err)
				}
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// nodes starts hubs on the engine, each a process of its own.
func (e *sharedEngine) nodes(t *testing.T, n int, args ...string) []*hubtest.Process {
	t.Helper()
	all := make([]*hubtest.Process, n)
	for i := range all {
		all[i] = hubtest.Launch(t, t.TempDir(), append([]string{"--store=" + e.url, "--anonymous", "--drain=0s", fmt.Sprint("--node=node-", i)}, args...)...)
	}
	for _, p := range all {
		p.AwaitServing(t)
	}
	return all
}

// load publishes to all nodes at once, each publisher its updates in order, and returns what was acknowledged.
func load(t *testing.T, nodes []*hubtest.Process, updates int) (acknowledged []string) {
	t.Helper()
	var mu sync.Mutex
	var publishers sync.WaitGroup
	for i, p := range nodes {
		publishers.Go(func() {
			token := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
			for n := range updates {
				data := fmt.Sprintf("%d/%d", i, n)
				a := hubtest.Do(t, http.MethodPost, p.URL, url.Values{"topic": {"a"}, "data": {data}}.Encode(), "Authorization", token)
				if a.Status == http.StatusOK {
					mu.Lock()
					acknowledged = append(acknowledged, data)
					mu.Unlock()
				}
			}
		})
	}
	publishers.Wait()
	return acknowledged
}

// take returns the data of the next n updates, and the last id.
func take(t *testing.T, s *hubtest.Stream, n int) (data []string, last string) {
	t.Helper()
	for range n {
		e := s.Next(t)
		data, last = append(data, e.Data), e.LastEventID
	}
	return data, last
}

// Every node has every update once, all in one order, and a client that goes from one to another goes on where it was.
func TestClusterDeliversEverythingOnceInOneOrder(t *testing.T) {
	onEngines(t, func(t *testing.T, e *sharedEngine) {
		nodes := e.nodes(t, 2)
		deliverOnceInOneOrder(t, nodes)
		for _, p := range nodes {
			p.Stop(t)
		}
	})
}

// The same holds for two hubs in one process, on a log that is no server: what a cluster does rests on what all logs promise.
func TestTwoHubsOnOneLogDeliverEverythingOnceInOneOrder(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (persistence.Log, error){
		"memory": func(*testing.T) (persistence.Log, error) { return memory.Open(memory.Options{}) },
		"bolt": func(t *testing.T) (persistence.Log, error) {
			return bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "hub.db")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := inner.Close(); err != nil {
					t.Error(err)
				}
			})
			log := &failingLog{Log: inner} // which never fails, and takes one append at a time
			one, _ := serveLog(t, log, 0)
			other, _ := serveLog(t, log, 0)
			deliverOnceInOneOrder(t, []*hubtest.Process{one, other})
		})
	}
}

// deliverOnceInOneOrder publishes to two nodes at once, while one client stays at each and another changes nodes.
func deliverOnceInOneOrder(t *testing.T, nodes []*hubtest.Process) {
	t.Helper()
	streams := []*hubtest.Stream{nodes[0].Subscribe(t, "topic=a"), nodes[1].Subscribe(t, "topic=a")}
	nodes[0].PublishData(t, "a", "first")
	streams[1].Expect(t, "first")
	streams[0].Expect(t, "first")
	const each = 60
	var acknowledged []string
	var publishing sync.WaitGroup
	publishing.Go(func() { acknowledged = load(t, nodes, each) })
	moved, cursor := nodes[0].Subscribe(t, "topic=a&lastEventID=earliest"), ""
	var seen []string
	for i := range 7 { // from node to node while updates come
		got, last := take(t, moved, 10)
		seen, cursor = append(seen, got...), last
		moved.Close()
		moved = nodes[(i+1)%2].Subscribe(t, "topic=a", "Last-Event-ID", cursor)
	}
	rest, _ := take(t, moved, 2*each+1-len(seen))
	seen = append(seen, rest...)
	publishing.Wait()
	if len(acknowledged) != 2*each {
		t.Fatalf("%d of %d updates were acknowledged", len(acknowledged), 2*each)
	}
	at0, _ := take(t, streams[0], 2*each)
	at1, _ := take(t, streams[1], 2*each)
	if !slices.Equal(at0, at1) {
		t.Errorf("the orders differ:\n%v\n%v", at0, at1)
	}
	if !slices.Equal(seen[1:], at0) {
		t.Errorf("who changed nodes got\n%v, want\n%v", seen[1:], at0)
	}
	wantComplete(t, at0, acknowledged)
}

// wantComplete demands that the data are those acknowledged, each once, and those of each publisher in order.
func wantComplete(t *testing.T, data, acknowledged []string) {
	t.Helper()
	last := map[string]int{}
	for _, one := range data {
		publisher, text, _ := strings.Cut(one, "/")
		n, err := strconv.Atoi(text)
		if before, is := last[publisher]; err != nil || is && n <= before {
			t.Errorf("%s comes after %d of the same publisher", one, before)
		}
		last[publisher] = n
	}
	sorted := slices.Sorted(slices.Values(data))
	if n := len(slices.Compact(slices.Clone(sorted))); n != len(sorted) {
		t.Errorf("%d updates came twice", len(sorted)-n)
	}
	for _, one := range acknowledged {
		if _, found := slices.BinarySearch(sorted, one); !found {
			t.Errorf("%s was acknowledged and did not come", one)
		}
	}
}

// listedAt returns the identifiers in the node's list of subscriptions.
func listedAt(t *testing.T, p *hubtest.Process) []string {
	t.Helper()
	token := "Bearer " + hubtest.Token(t, nil, []string{"*"})
	a := hubtest.Do(t, http.MethodGet, p.URL+"/subscriptions", "", "Authorization", token)
	if a.Status != http.StatusOK {
		t.Fatalf("the list is %d %s", a.Status, a.Body)
	}
	return subscriptionIDs(a.Body)
}

// subscriptionIDs returns the identifiers in a list of subscriptions, in order; none of what is no such list.
func subscriptionIDs(body string) (ids []string) {
	var list struct {
		Subscriptions []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		return nil
	}
	for _, s := range list.Subscriptions {
		ids = append(ids, s.ID)
	}
	slices.Sort(ids)
	return ids
}

// awaitListed waits until the node lists n subscriptions, and returns them.
func awaitListed(t *testing.T, p *hubtest.Process, n int) []string {
	t.Helper()
	deadline := time.Now().Add(hubtest.Patience)
	for {
		ids := listedAt(t, p)
		if len(ids) == n {
			return ids
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q are listed, want %d", ids, n)
		}
	}
}

// Any node lists the subscriptions of all; those of a node that dies are taken off, with the events that say so.
func TestClusterPresence(t *testing.T) {
	onEngines(t, func(t *testing.T, e *sharedEngine) {
		nodes := e.nodes(t, 2, "--subscriptions", "--node-lease=3s")
		token := "Bearer " + hubtest.Token(t, nil, []string{"*"})
		watch := nodes[0].Subscribe(t, "topic="+enc("/.well-known/mercure/subscriptions/{topic}/{subscriber}"), "Authorization", token)
		mine := watch.Next(t) // its own
		if !strings.Contains(mine.Data, `"active":true`) {
			t.Fatalf("first comes %s", mine.Data)
		}
		nodes[1].Subscribe(t, "topic=x")
		left := nodes[1].Subscribe(t, "topic=y")
		if ids := awaitListed(t, nodes[0], 3); !slices.Equal(ids, awaitListed(t, nodes[1], 3)) {
			t.Errorf("the lists differ: %q", ids)
		}
		for range 2 {
			if e := watch.Next(t); !strings.Contains(e.Data, `"active":true`) {
				t.Errorf("unexpected event: %s", e.Data)
			}
		}
		left.Close()
		if e := watch.Next(t); !strings.Contains(e.Data, `"active":false`) || !strings.Contains(e.Data, `"topic":"y"`) {
			t.Errorf("the end of one is announced as %s", e.Data)
		}
		awaitListed(t, nodes[0], 2)
		nodes[1].Kill(t)
		ended := watch.Next(t)
		if strings.Contains(ended.Data, `"topic":"y"`) && strings.Contains(ended.Data, `"active":false`) {
			ended = watch.Next(t) // killed before it could note that this end is announced, it has the other node do so again
		}
		if !strings.Contains(ended.Data, `"active":false`) || !strings.Contains(ended.Data, `"topic":"x"`) {
			t.Errorf("the end of a node is announced as %s", ended.Data)
		}
		awaitListed(t, nodes[0], 1)
		nodes[0].Stop(t)
	})
}

// What is revoked at one node holds at the others, for streams, tokens and those who come after a restart of all.
func TestClusterRevocation(t *testing.T) {
	onEngines(t, func(t *testing.T, e *sharedEngine) {
		nodes := e.nodes(t, 2)
		victim, other := bearerOf(t, "alice", "1"), bearerOf(t, "bob", "2")
		byToken := nodes[1].Subscribe(t, "topic=a", "Authorization", victim)
		byTopic := nodes[1].Subscribe(t, "topic=b", "Authorization", other)
		bystander := nodes[1].Subscribe(t, "topic=c", "Authorization", other)
		revokeAt(t, nodes[0], "sub=alice&topic=b")
		byToken.AwaitEnd(t)
		byTopic.AwaitEnd(t)
		nodes[0].PublishData(t, "c", "still here")
		bystander.Expect(t, "still here")
		refused := func(p *hubtest.Process) {
			t.Helper()
			if a := hubtest.Do(t, http.MethodPost, p.URL, "topic=x", "Authorization", victim); a.Status != http.StatusUnauthorized {
				t.Errorf("publishing with the token: %d %s", a.Status, a.Body)
			}
		}
		refused(nodes[1])
		for _, p := range nodes {
			p.Stop(t)
		}
		later := e.nodes(t, 1)[0]
		refused(later)
		later.Stop(t)
	})
}

// awaitStatus asks the page of the hub's address until it answers with the status.
func awaitStatus(t *testing.T, url string, want int) (body string) {
	t.Helper()
	deadline := time.Now().Add(hubtest.Patience)
	for {
		status, body := hubtest.Get(t, url)
		if status == want {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s answers %d %s, want %d", url, status, body, want)
		}
	}
}

// A node without its engine says so and refuses publishes, keeps its streams, and goes on when the engine is back, as if
// nothing had been.
func TestClusterWithoutItsEngine(t *testing.T) {
	onEngines(t, func(t *testing.T, e *sharedEngine) {
		nodes := e.nodes(t, 2)
		streams := []*hubtest.Stream{nodes[0].Subscribe(t, "topic=a"), nodes[1].Subscribe(t, "topic=a")}
		nodes[0].PublishData(t, "a", "before")
		for _, s := range streams {
			s.Expect(t, "before")
		}
		e.kill()
		for _, p := range nodes {
			if body := awaitStatus(t, p.Address()+"/healthz", http.StatusServiceUnavailable); !strings.Contains(body, "store") {
				t.Errorf("/healthz gives as reason: %s", body)
			}
			awaitStatus(t, p.Admin+"/readyz", http.StatusServiceUnavailable)
			if a := p.TryPublish(t, "a", "refused"); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("publishing: %d %s, Retry-After %q", a.Status, a.Body, a.Header.Get("Retry-After"))
			}
			p.AwaitMetric(t, "hubd_engine_up", "0")
		}
		// It holds here, and the client is told that it may hold nowhere else.
		victim := bearerOf(t, "alice", "1")
		a := hubtest.Do(t, http.MethodPost, nodes[0].URL+revocations, "sub=alice", "Authorization", revoker(t))
		if a.Status != http.StatusServiceUnavailable {
			t.Errorf("revoking: %d %s", a.Status, a.Body)
		}
		e.restart(t)
		for _, p := range nodes {
			awaitStatus(t, p.Address()+"/healthz", http.StatusOK)
			p.AwaitMetric(t, "hubd_engine_up", "1")
			p.AwaitMetric(t, "hubd_engine_outages_total", "1")
		}
		if a := hubtest.Do(t, http.MethodPost, nodes[0].URL, "topic=a", "Authorization", victim); a.Status != http.StatusUnauthorized {
			t.Errorf("publishing with a token that was revoked meanwhile: %d %s", a.Status, a.Body)
		}
		nodes[1].PublishData(t, "a", "after")
		for _, s := range streams {
			s.Expect(t, "after")
		}
		for _, p := range nodes {
			p.Stop(t)
		}
	})
}

// A hub that starts before its engine waits for it, not ready, and one whose patience ends says why.
func TestClusterNodeWaitsForItsEngine(t *testing.T) {
	onEngines(t, func(t *testing.T, e *sharedEngine) {
		e.kill()
		args := []string{"--store=" + e.url, "--anonymous", "--drain=0s"}
		impatient := hubtest.Launch(t, t.TempDir(), append(args, "--store-wait=0s")...)
		if code := impatient.Wait(t); code != 1 || !strings.Contains(impatient.Log(), "--store-wait") {
			t.Errorf("without patience: exit code %d\n%s", code, impatient.Log())
		}
		p := hubtest.Launch(t, t.TempDir(), args...)
		p.AwaitLog(t, "waiting for the store")
		e.restart(t)
		p.AwaitServing(t)
		p.PublishData(t, "a", "x")
		p.Stop(t)
	})
}
