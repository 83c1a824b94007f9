package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// ask gets a page of the node.
func (n *loadNode) ask(t *testing.T, address, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := n.client.Do(req)
	if err != nil {
		t.Fatalf("getting %s: %v", address, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading %s: %v", address, err)
	}
	return res.StatusCode, string(text)
}

// awaitReady waits until the node is ready, or is not, in the eyes of clients and of whoever runs it.
func (c *underLoad) awaitReady(t *testing.T, ready bool, nodes ...int) {
	t.Helper()
	want := http.StatusServiceUnavailable
	if ready {
		want = http.StatusOK
	}
	for _, i := range nodes {
		n := c.node(i)
		for _, address := range []string{n.Address() + "/healthz", n.Admin + "/readyz"} {
			for deadline := time.Now().Add(hubtest.Patience); ; {
				status, body := n.ask(t, address, "")
				if status == want {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("node %d: %s answers %d %s, want %d; %q", i, address, status, body, want, c.complaints())
				}
				_ = wait(t.Context(), loadPace)
			}
		}
	}
}

// awaitProgress waits until the publishers of the nodes have had some more updates acknowledged by these nodes.
func (c *underLoad) awaitProgress(t *testing.T, nodes ...int) {
	t.Helper()
	const more = 10
	for _, i := range nodes {
		p := c.publishers[i]
		goal := p.home.Load() + more
		for deadline := time.Now().Add(hubtest.Patience); p.home.Load() < goal; {
			if time.Now().After(deadline) {
				t.Fatalf("node %d acknowledges nothing; %q", i, c.complaints())
			}
			_ = wait(t.Context(), loadPace)
		}
	}
}

// mark publishes an update behind all that were acknowledged before.
func (c *underLoad) mark(t *testing.T) (data string) {
	t.Helper()
	c.mu.Lock()
	c.marks++
	mark := c.marks
	c.mu.Unlock()
	token := hubtest.Token(t, []string{"*"}, nil)
	deadline := time.Now().Add(hubtest.Patience)
	for attempt := 0; ; attempt++ {
		data = fmt.Sprintf("%d/%d/%d", len(c.publishers), mark, attempt)
		if c.publish(t.Context(), c.node(attempt), token, data) {
			return data
		}
		if time.Now().After(deadline) {
			t.Fatal("no node acknowledges an update")
		}
		_ = wait(t.Context(), loadPace)
	}
}

// verify demands that by now everyone has had all that was acknowledged: once, in one order, and those of a publisher in
// the order in which they were acknowledged. The load goes on.
func (c *underLoad) verify(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	acknowledged := slices.Clone(c.acknowledged)
	c.mu.Unlock()
	mark := c.mark(t)
	want := c.readers[0].upTo(t, mark)
	for _, r := range c.readers[1:] {
		if got := r.upTo(t, mark); !slices.Equal(got, want) {
			t.Errorf("%s got %d updates, %s %d; they differ from %d on", r.name, len(got), c.readers[0].name, len(want), firstDifference(got, want))
		}
	}
	places := make(map[string]int, len(want))
	for i, data := range want {
		places[data] = i
	}
	last := map[string]int{}
	lost := 0
	for _, data := range acknowledged {
		place, found := places[data]
		if !found {
			lost++
			if lost <= 10 {
				t.Errorf("%s was acknowledged and did not come", data)
			}
			continue
		}
		publisher, _, _ := strings.Cut(data, "/")
		if before, is := last[publisher]; is && place <= before {
			t.Errorf("%s comes before what the same publisher published before it", data)
		}
		last[publisher] = place
	}
	if problems := c.complaints(); len(problems) > 0 {
		t.Errorf("%d problems: %s", len(problems), strings.Join(problems[:min(len(problems), 10)], "\n"))
	}
	if t.Failed() {
		t.FailNow()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d acknowledged, %d refused, %d delivered to each of %d streams", len(acknowledged), c.refused, len(want), len(c.readers))
}

func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// verifyHistory demands that what is stored is what was delivered.
func (c *underLoad) verifyHistory(t *testing.T) {
	t.Helper()
	mark := c.mark(t)
	want := c.readers[0].upTo(t, mark)
	late := newLoadReader(c, 1, "who reads the history")
	ctx, done := context.WithCancel(t.Context())
	defer done()
	c.running.Go(func() { late.run(ctx) })
	if got := late.upTo(t, mark); !slices.Equal(got, want) {
		t.Errorf("%d updates are stored, and %d were delivered; they differ from %d on", len(got), len(want), firstDifference(got, want))
	}
}

// verifyPresence waits until all nodes list the streams that there are, and those who follow the events about
// subscriptions know the same.
func (c *underLoad) verifyPresence(t *testing.T) {
	t.Helper()
	c.roaming.Store(false)
	defer c.roaming.Store(true)
	token := hubtest.Token(t, nil, []string{"*"})
	want := len(c.readers) + 1
	for deadline := time.Now().Add(hubtest.Patience); ; {
		c.mu.Lock()
		lists := [][]string{slices.Sorted(maps.Keys(c.active))}
		c.mu.Unlock()
		answers := []string{"events"}
		for i := range c.nodes {
			n := c.node(i)
			status, body := n.ask(t, n.URL+"/subscriptions", token)
			lists = append(lists, subscriptionIDs(body))
			answers = append(answers, strconv.Itoa(status))
		}
		agree := !slices.ContainsFunc(lists, func(ids []string) bool { return len(ids) != want || !slices.Equal(ids, lists[0]) })
		if agree {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %d subscriptions everywhere; by events and by node %q (%q) there are\n%s", want, answers, c.complaints(), joinLists(lists))
		}
		_ = wait(t.Context(), 4*loadPace)
	}
}

// joinLists writes the ends of identifiers, a list to a line.
func joinLists(lists [][]string) string {
	var b strings.Builder
	for _, ids := range lists {
		for _, id := range ids {
			topic, subscriber, _ := strings.Cut(strings.TrimPrefix(id, "/.well-known/mercure/subscriptions/"), "/")
			fmt.Fprintf(&b, "%.6s %s  ", topic, subscriber[max(0, len(subscriber)-8):])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
