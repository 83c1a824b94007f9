package main

import (
	"context"
	"testing"

	"hubd/internal/churn"
	"hubd/internal/hubtest"
)

// footprintOf asks a hub for what connections and streams may leave behind (I5).
func footprintOf(t *testing.T, p *hubtest.Process) churn.Footprint {
	t.Helper()
	f, err := churn.Read(t.Context(), p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// lateStarters are goroutines that the runtime and libraries start when they are first needed, and keep. Whoever looks for
// a leak of goroutines has to make it happen more often than that.
const lateStarters = 2

// awaitFootprint waits until the hub is back to what it was before.
func awaitFootprint(t *testing.T, p *hubtest.Process, before churn.Footprint) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	before.Goroutines += lateStarters
	if err := churn.Await(ctx, p.Admin, before); err != nil {
		_, profile := hubtest.Get(t, p.Admin+"/debug/pprof/goroutine?debug=1")
		t.Fatalf("%v\n%s", err, profile)
	}
}
