package result

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func sample() Set {
	s := Set{At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Environment: Environment{Commit: "abc", Cores: 2}}
	for run := range 3 {
		for _, target := range []string{"limit", "hub"} {
			r := Result{Workload: "idle", Target: target, Run: run + 1, Params: Params{Streams: 10}}
			r.Set(RSS, float64(100+run))
			if run == 2 {
				r.Failure = "lost"
			}
			r.Curves = []Curve{{Name: MemoryCurve, Points: [][2]float64{{0, 1}, {1, 2}}}}
			s.Results = append(s.Results, r)
		}
	}
	s.Results = append(s.Results, Result{Workload: "growth", Target: "hub", Run: 1, Params: Params{Streams: 20}})
	s.Results = append(s.Results, Result{Workload: "growth", Target: "hub", Run: 1, Params: Params{Streams: 10}})
	return s
}

func TestSetIsKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	newer, older := sample(), sample()
	older.At = older.At.Add(-time.Hour)
	for _, s := range []Set{newer, older} {
		path, err := s.Save(dir)
		if err != nil || !strings.HasSuffix(path, "Z-idle+growth.json") {
			t.Fatalf("%s, %v", path, err)
		}
	}
	sets, err := Load(dir)
	if err != nil || !reflect.DeepEqual(sets, []Set{older, newer}) {
		t.Errorf("%+v, %v", sets, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "x.json") {
		t.Errorf("%v", err)
	}
}

func TestSetIsSearched(t *testing.T) {
	t.Parallel()
	s := sample()
	if got := s.Workloads(); !reflect.DeepEqual(got, []string{"idle", "growth"}) {
		t.Errorf("workloads %v", got)
	}
	if got := s.Targets("idle"); !reflect.DeepEqual(got, []string{"limit", "hub"}) {
		t.Errorf("targets %v", got)
	}
	if got := s.Streams("growth"); !reflect.DeepEqual(got, []int{10, 20}) {
		t.Errorf("streams %v", got)
	}
	if got := len(s.Runs("growth", "hub", 20)); got != 1 {
		t.Errorf("%d runs with 20 streams", got)
	}
	// The failed run does not count.
	if got := Figure(s.Runs("idle", "hub", 0), RSS); got.Runs != 2 || got.Median != 100.5 {
		t.Errorf("%+v", got)
	}
	r := s.Results[0]
	if len(r.Curve(MemoryCurve)) != 2 || r.Curve(LatencyCurve) != nil {
		t.Error("curves are not found")
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	e := ReadEnvironment(t.Context(), t.TempDir())
	if e.Go == "" || e.Cores < 1 || e.Commit != "" {
		t.Errorf("%+v", e)
	}
}

// TestRatioIsTakenWithinRuns has a machine that is ten times as slow in the second run.
func TestRatioIsTakenWithinRuns(t *testing.T) {
	t.Parallel()
	var limit, hub []*Result
	for run, v := range []struct{ limit, hub float64 }{{1, 2}, {10, 11}, {1.5, 1.8}, {0, 5}} {
		for list, value := range map[*[]*Result]float64{&limit: v.limit, &hub: v.hub} {
			r := &Result{Run: run + 1}
			r.Set(RSS, value)
			*list = append(*list, r)
		}
	}
	slices.Reverse(hub) // their order does not matter
	if got := Ratio(hub, limit, RSS); got.Runs != 3 || math.Abs(got.Median-1.2) > 1e-9 || got.Min != 1.1 || got.Max != 2 {
		t.Errorf("%+v", got)
	}
	limit[0].Failure = "lost"
	if got := Ratio(hub, limit, RSS); got.Runs != 2 || got.Max >= 2 {
		t.Errorf("%+v", got)
	}
	if got := Ratio(hub, nil, RSS); got.Runs != 0 {
		t.Errorf("%+v", got)
	}
}

func TestHubEnded(t *testing.T) {
	t.Parallel()
	r := Result{Disconnects: map[string]float64{"stalled": 2, "client": 9, "behind_history": 1, "fault": 0}}
	if got := r.HubEnded(); got != "behind_history 1, stalled 2" {
		t.Error(got)
	}
	if got := new(Result).HubEnded(); got != "" {
		t.Error(got)
	}
}
