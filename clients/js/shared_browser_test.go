package js

import (
	"strconv"
	"testing"

	"hubd/clients/browsertest"
)

const connected = "mercure_subscribers_connected"

// Three tabs follow the same with one connection. It outlives the tab that began it, one that crashes, a token, and the
// worker; it ends with the last tab.
func TestTabsShareAConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir())
	first := browsertest.Start(t)
	// The browser ends with its first tab, so the tabs of the test are others.
	tabs := []*browsertest.Tab{first.Another(t), first.Another(t), first.Another(t)}
	var ids []string
	publish := func() {
		for n := range 5 {
			ids = append(ids, private(t, hub, strconv.Itoa(n)))
		}
	}
	for _, tab := range tabs {
		s.show(t, tab, hub, `{shared: "alice", token: token()}`)
	}
	publish()
	for _, tab := range tabs {
		expectIDs(t, tab, ids)
	}
	if n := hub.Metric(t, connected); n != "1" {
		t.Errorf("three tabs have %s connections", n)
	}
	if n := s.asked(); n != 1 {
		t.Errorf("three tabs took %d tokens", n)
	}

	// A tab that the user leaves and comes back to shares again, however often.
	for range 4 {
		tabs[1].Do(t, `dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))`)
		publish()
		tabs[1].Do(t, `dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
		expectIDs(t, tabs[1], ids)
	}
	if n := hub.Metric(t, connected); n != "1" {
		t.Errorf("with a tab that came back there are %s connections", n)
	}

	tabs[0].Close()
	publish()
	expectIDs(t, tabs[1], ids)
	tabs[1].KillWorker(t, "/client/worker.js")
	publish()
	for _, tab := range tabs[1:] {
		expectIDs(t, tab, ids)
		if gaps := tab.Text(t, `JSON.stringify(log.gaps)`); gaps != "[]" {
			t.Errorf("a tab is told of gaps: %s", gaps)
		}
	}
	hub.AwaitMetric(t, connected, "1")

	// A tab with a cursor begins there, whether or not the shared stream was ever there.
	late := first.Another(t)
	s.show(t, late, hub, `{shared: "alice", token: token(), lastEventID: `+strconv.Quote(ids[len(ids)-2])+`}`)
	expectIDs(t, late, ids[len(ids)-1:])
	if n := hub.Metric(t, connected); n != "1" {
		t.Errorf("with a late tab there are %s connections", n)
	}
	old := first.Another(t)
	s.show(t, old, hub, `{shared: "alice", token: token(), lastEventID: `+strconv.Quote(ids[0])+`}`)
	expectIDs(t, old, ids[1:])
	hub.AwaitMetric(t, connected, "2")
	old.Close()
	hub.AwaitMetric(t, connected, "1")

	// Another user, another connection.
	other := first.Another(t)
	s.show(t, other, hub, `{shared: "bob", token: token()}`)
	hub.AwaitMetric(t, connected, "2")
	other.Do(t, `subscription.close(); await subscription.closed`)
	hub.AwaitMetric(t, connected, "1")

	tabs[1].Crash(t)
	late.Close()
	publish()
	expectIDs(t, tabs[2], ids)
	tabs[2].Open(t, "about:blank")
	hub.AwaitMetric(t, connected, "0")
}

// A refusal reaches every tab, and a tab that comes later with a token is served.
func TestTabsAreRefusedTogether(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir())
	first := browsertest.Start(t)
	for _, tab := range []*browsertest.Tab{first, first.Another(t)} {
		tab.Open(t, s.url)
		tab.Await(t, `window.ready`)
		listen(t, tab, hub, `{shared: true}`)
		tab.Await(t, `subscription.state === "closed" && log.errors.length === 1`)
		if got := tab.Text(t, `subscription.closed.catch((e) => e.name + e.status + e.final)`); got != "HubError401true" {
			t.Errorf("the subscription ends with %s", got)
		}
	}
	s.show(t, first, hub, `{shared: true, token: token()}`)
	second := first.Another(t)
	s.show(t, second, hub, `{shared: true, token: async () => { throw new Error("logged out"); }}`)
	if n := hub.Metric(t, connected); n != "1" {
		t.Errorf("two tabs have %s connections", n)
	}
}

// Where there is no SharedWorker, or it cannot be loaded, every tab has a connection of its own.
func TestTabsWithoutASharedWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir(), "--anonymous")
	first := browsertest.Start(t)
	for n, without := range []string{
		`delete window.SharedWorker`,
		`window.SharedWorker = class { constructor() { throw new DOMException("other origin", "SecurityError"); } }`,
		`const Real = SharedWorker; window.SharedWorker = class extends Real { constructor(url, options) { super("/none.js", options); } }`,
	} {
		tab := first.Another(t)
		tab.Open(t, s.url)
		tab.Await(t, `window.ready`)
		tab.Do(t, without)
		listen(t, tab, hub, `{shared: true}`)
		tab.Await(t, `subscription.state === "open"`)
		hub.AwaitMetric(t, connected, strconv.Itoa(n+1))
		id := hub.PublishData(t, topic, "x")
		expectIDs(t, tab, []string{id})
	}
}
