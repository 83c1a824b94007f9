package main

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The arithmetic of a storm agrees with a simulation in which streams come by chance.
func TestStormAgreesWithSimulation(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		for _, spread := range []float64{0.1, 3, 30} {
			s.load.backTo = s.load.backFrom + spread
			p, err := newPlan(s.load, s.machine, measured)
			if err != nil {
				t.Fatal(err)
			}
			simulated, _ := simulate(p, s.load, s.machine, measured, rand.New(rand.NewPCG(1, uint64(s.load.streams))))
			if ratio := simulated / p.recovery; ratio < 0.95 || ratio > 1.1 {
				t.Errorf("%s, back within %g s: %.2f s by arithmetic, %.2f s by simulation", s.name, spread, p.recovery, simulated)
			}
		}
	}
}

// A plan holds its bounds, and one node less breaks one of them.
func TestPlanIsTheLeast(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		p, err := newPlan(s.load, s.machine, measured)
		if err != nil {
			t.Fatal(err)
		}
		holds := func(nodes int) bool {
			streams := float64(s.load.streams) / float64(nodes)
			memory := float64(measured.fixed) + streams*float64(measured.stream+measured.socket)
			return streams <= float64(s.machine.most) && memory <= float64(s.machine.memory)*s.machine.full &&
				p.load(s.load, measured, streams) <= float64(s.machine.cores)*s.machine.busy
		}
		if !holds(p.nodes - 1) {
			t.Errorf("%s: %d nodes cannot spare one", s.name, p.nodes)
		}
		if holds(p.nodes - 2) {
			t.Errorf("%s: %d nodes are more than it takes", s.name, p.nodes)
		}
	}
}

func TestLoadsThatNoNumberOfNodesCarries(t *testing.T) {
	t.Parallel()
	s := scenarios()[0]
	s.load.publishes = 1e6
	if _, err := newPlan(s.load, s.machine, measured); !errors.Is(err, errTooBusy) {
		t.Errorf("a million updates a second for every node: %v", err)
	}
	s = scenarios()[0]
	s.load.streams = 0
	if _, err := newPlan(s.load, s.machine, measured); err == nil {
		t.Error("a plan for no streams")
	}
	p := plan{nodes: 2, perNode: 1000000}
	if seconds, _ := p.storm(load{streams: 2000000, perStream: 1}, machine{cores: 2}, measured); !math.IsInf(seconds, 1) {
		t.Errorf("nodes without a core to spare take %g s", seconds)
	}
}

// The page shows what the program prints.
func TestPageHasTheTables(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "scaling.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(nil, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), out.String()) {
		t.Errorf("docs/scaling.md is stale; go run ./bench/plan prints\n%s", out.String())
	}
}
