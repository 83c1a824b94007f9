package sharedtest

import (
	"testing"

	"go.uber.org/goleak"

	"hubd/persistence"
	"hubd/persistence/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is an engine as the suite's place.
type place struct {
	engine *Engine
	node   *Node
}

// Open implements logtest.Place.
func (p *place) Open(o logtest.Options) (persistence.Log, error) {
	node, err := p.engine.Open(Options{Retention: o.Retention, Ring: o.Ring, Now: o.Now})
	if err != nil {
		return nil, err
	}
	p.node = node
	return node, nil
}

// Crash implements logtest.Crasher.
func (p *place) Crash(t testing.TB) {
	if err := p.node.Close(); err != nil {
		t.Error(err)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	logtest.Run(t, logtest.Backend{Durable: true, New: func(t testing.TB) logtest.Place {
		engine, err := NewEngine(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &place{engine: engine}
	}})
}
