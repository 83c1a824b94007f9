package memory

import (
	"testing"

	"go.uber.org/goleak"

	"hubd/persistence"
	"hubd/persistence/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type place struct{}

func (place) Open(o logtest.Options) (persistence.Log, error) {
	return Open(Options{Retention: o.Retention, Ring: o.Ring, Now: o.Now})
}

func backend() logtest.Backend {
	return logtest.Backend{New: func(testing.TB) logtest.Place { return place{} }}
}

func TestLog(t *testing.T) {
	t.Parallel()
	logtest.Run(t, backend())
}

func BenchmarkLog(b *testing.B) { logtest.Benchmark(b, backend()) }
