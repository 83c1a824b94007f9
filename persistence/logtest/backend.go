package logtest

import (
	"testing"
	"time"

	"hubd/persistence"
)

// Options are what the suite asks of a log.
type Options struct {
	Retention persistence.Retention
	Ring      persistence.RingOptions
	Now       func() time.Time
	// Contacted is for back ends that are persistence.Shared; it may be nil.
	Contacted persistence.Contacted
}

// Backend describes a back end to the suite.
type Backend struct {
	// New returns a place without events. It cleans up, and checks what can be checked from outside
	// the log, when the test ends.
	New func(t testing.TB) Place
	// Durable tells that a place opened again still has its events.
	Durable bool
}

// Place is where the log of one test lives: a file, a database. One log at a time is open in it, unless the back end is
// a persistence.Shared.
type Place interface {
	Open(o Options) (persistence.Log, error)
}

// Crasher is a durable place whose open log can be abandoned as if its process had been killed. The
// next Open finds what was durable at that moment.
type Crasher interface {
	Crash(t testing.TB)
}

// Restorer is a durable place that can be put back to an earlier state, as from a backup.
type Restorer interface {
	// Snapshot remembers the state. The function returned brings it back while no log is open.
	Snapshot(t testing.TB, open persistence.Log) (restore func())
}

// Faulty is a place whose open log can be made to fail. It holds for appends until Heal, in the way
// that the back end's storage would fail.
type Faulty interface {
	// Fail makes appends fail, with persisted after the batch was stored, otherwise before.
	Fail(persisted bool)
	Heal()
}

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"append", testAppend},
		{"read", testRead},
		{"find", testFind},
		{"tail", testTail},
		{"retention", testRetention},
		{"reopen", testReopen},
		{"fault", testFault},
		{"close", testClose},
		{"concurrent", testConcurrent},
		{"random", testRandom},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			group.run(t, b)
		})
	}
}
