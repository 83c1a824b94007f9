package main

import (
	"testing"

	"hubd/internal/churn"
	"hubd/internal/hubtest"
)

// I5: clients that come and leave in every phase of a connection's life leave nothing behind. The long version is
// "make soak".
func TestChurn(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--subscriptions", "--history-max-events=1000")
	o := churn.Options{
		Hub: p.URL, Token: hubtest.Token(t, []string{"*"}, nil),
		Topic: topic, Size: 4 << 10, Clients: 32,
	}
	// The first round fills the history, the pools and the tables; what comes after it is held against it.
	if _, err := churn.Run(t.Context(), o, 2_000); err != nil {
		t.Fatal(err)
	}
	// The hub had no connection and no stream before.
	before := footprintOf(t, p)
	before.Connections, before.Subscribers, before.Topics, before.Queued, before.CatchUp = 0, 0, 0, 0, 0
	awaitFootprint(t, p, before)
	before, err := churn.ReadHeap(t.Context(), p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := churn.Run(t.Context(), o, 4_000)
	if err != nil {
		t.Fatal(err)
	}
	awaitFootprint(t, p, before)
	after, err := churn.ReadHeap(t.Context(), p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	// What is kept of the newest updates in memory still grows to its bound, by the updates and subscription events of these
	// clients. A connection that stayed would be more: its buffer alone has 32 KiB.
	const perClient = 2 << 10
	if grown := after.Heap - before.Heap; grown > perClient*int(counts.Total()) {
		t.Errorf("the heap has grown by %d bytes over %d clients", grown, counts.Total())
	}
	if got := p.Metric(t, "mercure_subscribers_total"); got == "0" {
		t.Error("no stream was opened")
	}
	t.Logf("clients left: %s; heap %d, then %d", counts, before.Heap, after.Heap)
}
