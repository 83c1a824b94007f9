package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"

	"hubd/internal/hubtest"
)

const (
	// loadPace is the time between two updates of a publisher, and between two attempts.
	loadPace = 8 * time.Millisecond
	// stayFor is after how many updates a client that goes from node to node goes on.
	stayFor = 40
)

// underLoad is hubs that share a store, with a publisher, a stream that stays and one that changes nodes, all the time.
type underLoad struct {
	// launch starts a node that lives as long as the load.
	launch func(i int) *hubtest.Process

	end     context.CancelFunc
	running sync.WaitGroup
	// publishers have a node each, which they turn to first, readers follow the updates, and watch the subscriptions.
	publishers []*loadPublisher
	readers    []*loadReader
	watch      *loadReader
	// roaming is false while everyone stays where he is.
	roaming atomic.Bool

	// mu guards what follows.
	mu    sync.Mutex
	nodes []*loadNode
	// killed are processes whose streams may end.
	killed map[*hubtest.Process]bool
	// acknowledged are updates that were answered 200; refused counts the answers that were not.
	acknowledged []string
	refused      int
	problems     []string
	marks        int
	// active are the subscriptions that the events about them say are there.
	active map[string]bool
}

// loadNode is a node with a client that keeps its connections.
type loadNode struct {
	*hubtest.Process
	client *http.Client
}

// startLoad starts the nodes and the load, which end with the test.
func startLoad(t *testing.T, nodes int, launch func(i int) *hubtest.Process) *underLoad {
	t.Helper()
	c := &underLoad{launch: launch, killed: map[*hubtest.Process]bool{}, active: map[string]bool{}}
	c.roaming.Store(true)
	processes := make([]*hubtest.Process, nodes)
	for i := range processes {
		processes[i] = launch(i)
	}
	for _, p := range processes {
		p.AwaitServing(t)
		c.nodes = append(c.nodes, &loadNode{p, p.Client()})
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.end = cancel
	t.Cleanup(c.stop)
	for i := range nodes {
		c.publishers = append(c.publishers, &loadPublisher{c: c, number: i, token: hubtest.Token(t, []string{"*"}, nil)})
		c.readers = append(c.readers, newLoadReader(c, i, fmt.Sprint("who stays at node ", i)))
	}
	roamer := newLoadReader(c, 0, "who changes nodes")
	roamer.stay = stayFor
	c.readers = append(c.readers, roamer)
	c.watch = newLoadReader(c, 0, "who follows the subscriptions")
	c.watch.query = "topic=" + enc("/.well-known/mercure/subscriptions/{topic}/{subscriber}")
	c.watch.token = hubtest.Token(t, nil, []string{"*"})
	c.watch.take = c.noteSubscription
	for _, p := range c.publishers {
		c.running.Go(func() { p.run(ctx) })
	}
	for _, r := range append(c.readers, c.watch) {
		c.running.Go(func() { r.run(ctx) })
	}
	return c
}

// stop ends the load. Idempotent.
func (c *underLoad) stop() {
	c.end()
	c.running.Wait()
	for i := range c.nodes {
		c.node(i).client.CloseIdleConnections()
	}
}

func (c *underLoad) node(i int) *loadNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i%len(c.nodes)]
}

// kill ends a node as a crash does.
func (c *underLoad) kill(t *testing.T, i int) {
	t.Helper()
	n := c.node(i)
	c.mu.Lock()
	c.killed[n.Process] = true
	c.mu.Unlock()
	n.Kill(t)
}

// relaunch starts a node again, at another address.
func (c *underLoad) relaunch(t *testing.T, i int) {
	t.Helper()
	p := c.launch(i)
	p.AwaitServing(t)
	c.mu.Lock()
	before := c.nodes[i]
	c.nodes[i] = &loadNode{p, p.Client()}
	c.mu.Unlock()
	before.client.CloseIdleConnections()
}

func (c *underLoad) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// publish publishes the data at a node and reports whether that was acknowledged.
func (c *underLoad) publish(ctx context.Context, n *loadNode, token, data string) bool {
	body := url.Values{"topic": {"a"}, "data": {data}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, strings.NewReader(body))
	if err != nil {
		c.problem("publishing: %v", err)
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := n.client.Do(req)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.killed[n.Process] && ctx.Err() == nil {
			c.problems = append(c.problems, fmt.Sprintf("publishing at a node that lives: %v", err))
		}
		return false
	}
	answer, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if res.StatusCode == http.StatusOK {
		c.acknowledged = append(c.acknowledged, data)
		return true
	}
	c.refused++
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || err != nil {
		c.problems = append(c.problems, fmt.Sprintf("publishing is answered %d %q: %v", res.StatusCode, answer, err))
	}
	return false
}

// loadPublisher publishes one update after the other, each again until it is acknowledged. An attempt that was refused
// may be stored all the same, so that each has data of its own: publisher/update/attempt.
type loadPublisher struct {
	c      *underLoad
	number int
	token  string
	// home counts the updates that were acknowledged by the publisher's own node.
	home atomic.Int64
}

func (p *loadPublisher) run(ctx context.Context) {
	pace := time.NewTicker(loadPace)
	defer pace.Stop()
	for update, attempt := 0, 0; ; {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
		if !p.c.publish(ctx, p.c.node(p.number+attempt), p.token, fmt.Sprintf("%d/%d/%d", p.number, update, attempt)) {
			attempt++
			continue
		}
		if attempt%len(p.c.publishers) == 0 {
			p.home.Add(1)
		}
		update, attempt = update+1, 0
	}
}

// loadReader follows updates from the first on. When its stream ends it goes to the next node with its cursor.
type loadReader struct {
	c            *underLoad
	name         string
	query, token string
	at           int
	// stay is after how many updates it goes to the next node by itself; 0 is never.
	stay int
	take func(data string)

	// mu guards what follows.
	mu   sync.Mutex
	seen []string
	// places are those in seen.
	places map[string]int
	came   chan struct{}
}

func newLoadReader(c *underLoad, at int, name string) *loadReader {
	r := &loadReader{c: c, name: name, query: "topic=a", at: at, places: map[string]int{}, came: make(chan struct{}, 1)}
	r.take = r.note
	return r
}

func (r *loadReader) run(ctx context.Context) {
	for cursor := "earliest"; ctx.Err() == nil; r.at++ {
		cursor = r.follow(ctx, r.c.node(r.at), cursor)
		_ = wait(ctx, loadPace) // nodes that refuse are not asked without a pause
	}
}

// follow reads a stream to its end, and returns where it ended.
func (r *loadReader) follow(ctx context.Context, n *loadNode, cursor string) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+"?"+r.query, http.NoBody)
	if err != nil {
		r.c.problem("%s: %v", r.name, err)
		return cursor
	}
	req.Header.Set("Last-Event-ID", cursor)
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	res, err := n.client.Do(req)
	if err != nil {
		return cursor
	}
	defer func() { _ = res.Body.Close() }()
	switch known := res.Header.Get("Last-Event-ID"); {
	case res.StatusCode == http.StatusServiceUnavailable:
		return cursor
	case res.StatusCode != http.StatusOK:
		r.c.problem("%s is answered %d", r.name, res.StatusCode)
		return cursor
	case known != cursor:
		r.c.problem("%s comes with the cursor %q and is answered %q", r.name, cursor, known)
	}
	left := r.stay
	for e, err := range sse.Read(res.Body, nil) {
		if err != nil {
			break
		}
		cursor = e.LastEventID
		r.take(e.Data)
		if left--; left <= 0 && r.stay > 0 && r.c.roaming.Load() {
			return cursor
		}
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if !r.c.killed[n.Process] && ctx.Err() == nil {
		r.c.problems = append(r.c.problems, r.name+": a node that lives has ended the stream")
	}
	return cursor
}

// note takes an update down.
func (r *loadReader) note(data string) {
	r.mu.Lock()
	_, twice := r.places[data]
	r.places[data] = len(r.seen)
	r.seen = append(r.seen, data)
	r.mu.Unlock()
	if twice {
		r.c.problem("%s got %s twice", r.name, data)
	}
	select {
	case r.came <- struct{}{}:
	default:
	}
}

// upTo returns what came up to an update, once that has come.
func (r *loadReader) upTo(t *testing.T, last string) []string {
	t.Helper()
	for late := time.After(hubtest.Patience); ; {
		r.mu.Lock()
		place, found := r.places[last]
		seen := r.seen
		r.mu.Unlock()
		if found {
			return seen[:place+1]
		}
		select {
		case <-r.came:
		case <-late:
			t.Fatalf("%s got %d updates, but not %s; %q", r.name, len(seen), last, r.c.complaints())
		}
	}
}

func (c *underLoad) complaints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.problems)
}

// noteSubscription takes down what an event says of a subscription.
func (c *underLoad) noteSubscription(data string) {
	var s struct {
		ID     string
		Active bool
	}
	if err := json.Unmarshal([]byte(data), &s); err != nil {
		c.problem("event about a subscription: %v: %s", err, data)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.active, s.ID); s.Active {
		c.active[s.ID] = true
	}
}
