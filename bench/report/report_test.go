package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hubd/bench/result"
	"hubd/bench/stat"
)

func run(workload, target string, streams int, figures map[string]float64) result.Result {
	return result.Result{
		Workload: workload, Target: target, Run: 1, Figures: figures,
		Params: result.Params{Streams: streams, Publishers: 1, Rate: 5, Seconds: 20, Payload: 128},
		Curves: []result.Curve{
			{Name: result.LatencyCurve, Points: [][2]float64{{0.5, 0.01}, {0.1, 0.05}, {0.01, 0.1}}},
			{Name: result.MemoryCurve, Points: [][2]float64{{0, 10 << 20}, {1, 20 << 20}, {2, 21 << 20}}},
		},
	}
}

func sample() result.Set {
	s := result.Set{
		At:          time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Environment: result.Environment{Commit: "abcdef", Go: "go1", CPU: "A <CPU>", Cores: 2, Store: "bolt", Dialect: "0.x"},
	}
	for i, target := range []string{"limit", "hub"} {
		s.Results = append(s.Results, run("fanout-paced", target, 10_000, map[string]float64{
			result.CPUPerDelivery: 10e-6 + float64(i)*1e-6, result.LatencyP99: 0.1 + 0.05*float64(i), result.RSS: 30 << 20,
		}))
	}
	for i, streams := range []int{1000, 15_000} {
		s.Results = append(s.Results, run("growth", "hub", streams, map[string]float64{
			result.MemoryPerStream: 4096, result.LivePerStream: 2048 + 50*float64(i), result.CPUPerDelivery: 10e-6 + float64(i)*2e-6,
		}))
	}
	return s
}

func TestFormat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		v    float64
		want string
	}{
		{"x_seconds", 0, "0"},
		{"x_seconds", 12.34e-9, "12.3 ns"},
		{"x_seconds", 1.5e-6, "1.50 us"},
		{"x_seconds", 0.139, "139 ms"},
		{"x_seconds", 2, "2 s"},
		{"x_bytes", 500, "500 B"},
		{"x_bytes", 4096, "4 KB"},
		{"x_bytes", 1.36 * (1 << 30), "1.36 GB"},
		{"x_per_second", 2_345_678, "2,345,678/s"},
		{"x_share", 0.12345, "12.35%"},
		{"x_share", 0, "0.00%"},
		{"x_count", 999, "999"},
		{"x_count", 1000, "1,000"},
		{"x_count", -1234567, "-1,234,567"},
		{"x_count", 0.25, "0.25"},
		{"x_count", 15.000000000002, "15"},
	}
	for _, test := range tests {
		if got := Figure(test.name, test.v); got != test.want {
			t.Errorf("%s %v: %q, want %q", test.name, test.v, got, test.want)
		}
	}
	if got := spread("x_seconds", stat.Spreads([]float64{1, 3, 2})); got != "2 s (1 s to 3 s)" {
		t.Error(got)
	}
	if got := spread("x_seconds", stat.Spread{}); got != "-" {
		t.Error(got)
	}
	if got := ratio(stat.Spreads([]float64{1, 3, 2})); got != "2 x (1 to 3)" {
		t.Error(got)
	}
	if got := spread("x_count", stat.Spreads([]float64{7, 7, 7})); got != "7" {
		t.Error(got)
	}
	if got := ratio(stat.Spread{}); got != "-" {
		t.Error(got)
	}
	if got := label("server_cpu_per_delivery_seconds"); got != "server CPU per delivery" {
		t.Error(got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	s := sample()
	s.Results[1].Warning = "stopped\nbadly"
	want := `Paced (fanout-paced): 10,000 streams, 1 publisher, 5 publishes/s, 20 s, 128 bytes of data
  figure                    limit     hub  hub / limit
  server CPU per delivery   10 us   11 us       1.10 x
  latency p99              100 ms  150 ms       1.50 x
  server RSS                30 MB   30 MB          1 x
  run 1 against hub: stopped badly
`
	if got := Table(&s, "fanout-paced", "Paced"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestFailedRunsDoNotCount(t *testing.T) {
	t.Parallel()
	s := sample()
	s.Results[1].Failure = "stream 3 lost an event\nthe target has ended"
	got := Table(&s, "fanout-paced", "Paced")
	if strings.Contains(got, "150 ms") || !strings.Contains(got, "stream 3 lost an event; the target has ended\n") {
		t.Error(got)
	}
	for _, g := range goals() {
		if v := judge(g, &s); g.workload == "fanout-paced" && !strings.HasPrefix(v.outcome, "no: 1 of 1") {
			t.Errorf("%s: %s", g.title, v.outcome)
		}
	}
}

// Runs that were made again change no figure, and are told of.
func TestDisturbedRunsAreTold(t *testing.T) {
	t.Parallel()
	s := sample()
	before := rows(&s, "fanout-paced")
	for _, taken := range []float64{0.05, 0.2, 0.04} {
		r := run("fanout-paced", "hub", 10_000, map[string]float64{result.CPUPerDelivery: 1, result.Taken: taken})
		s.Disturbed = append(s.Disturbed, r)
	}
	s.Disturbed = append(s.Disturbed, run("publish", "hub", 0, map[string]float64{result.Taken: 0.5}))
	if after := rows(&s, "fanout-paced"); !reflect.DeepEqual(before, after) {
		t.Errorf("%v, want %v", after, before)
	}
	s.Disturbed = append(s.Disturbed, run("growth", "hub", 15_000, map[string]float64{result.Taken: 0.5}))
	const want = "made again, and not counted, because others took 5.00% (4.00% to 20.00%) of the machine: hub, runs: 3"
	if table := Table(&s, "fanout-paced", "Paced"); strings.Count(table, "made again") != 1 || !strings.Contains(table, want) {
		t.Error(table)
	}
	if table := Table(&s, "growth", "Growth"); !strings.Contains(table, "others took 50.00% of the machine: hub, 15,000 streams, runs: 1") {
		t.Error(table)
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	s := sample()
	outcomes := map[string]string{
		result.CPUPerDelivery: "yes", // 1.10 of 1.15
		result.LatencyP99:     "no",  // 1.50 of 0.9
	}
	for _, g := range goals() {
		v := judge(g, &s)
		want := "-"
		if g.workload == "fanout-paced" {
			want = outcomes[g.figure]
		}
		if v.outcome != want {
			t.Errorf("%s: %q, want %q", g.title, v.outcome, want)
		}
		if v := judge(g, nil); v.ours != "-" || v.outcome != "-" {
			t.Errorf("%s without results: %+v", g.title, v)
		}
	}
	growth := judgeGrowth(&s)
	if len(growth) != 3 || growth[0].outcome != "yes" || growth[1].outcome != "-" || growth[2].outcome != "no" {
		t.Errorf("%+v", growth)
	}
}

func TestRatioGoalsNeedTheLimit(t *testing.T) {
	t.Parallel()
	s := sample()
	s.Results = s.Results[1:]
	for _, g := range goals() {
		if v := judge(g, &s); g.toLimit && v.outcome != "-" {
			t.Errorf("%s is judged %q without a limit", g.title, v.outcome)
		}
	}
}

// TestGoalsAreJudgedByRatiosWithinRuns has a hub that costs 1.1 times what the limit does in every run but one, on a
// machine whose speed changes between runs so that the medians' ratio is another.
func TestGoalsAreJudgedByRatiosWithinRuns(t *testing.T) {
	t.Parallel()
	var s result.Set
	for i, v := range []struct{ limit, hub float64 }{{10, 11}, {20, 40}, {100, 110}} {
		s.Results = append(s.Results,
			run("fanout-paced", "limit", 10_000, map[string]float64{result.CPUPerDelivery: v.limit * 1e-6}),
			run("fanout-paced", "hub", 10_000, map[string]float64{result.CPUPerDelivery: v.hub * 1e-6}))
		s.Results[2*i].Run, s.Results[2*i+1].Run = i+1, i+1
	}
	for _, g := range goals() {
		if g.workload != "fanout-paced" || g.figure != result.CPUPerDelivery {
			continue
		}
		if v := judge(g, &s); v.outcome != "yes" || v.ratio != "1.10 x (1.10 to 2)" || v.ours != "40 us (11 us to 110 us)" {
			t.Errorf("%+v", v)
		}
	}
	if table := Table(&s, "fanout-paced", "Paced"); !strings.Contains(table, "1.10 x (1.10 to 2)") || !strings.Contains(table, "median of 3 runs") {
		t.Error(table)
	}
}

// TestTheMiddleRunIsDrawn has three runs whose order is not that of their latencies.
func TestTheMiddleRunIsDrawn(t *testing.T) {
	t.Parallel()
	var s result.Set
	for i, p99 := range []float64{0.3, 0.1, 0.2} {
		r := run("fanout-paced", "hub", 10, map[string]float64{result.LatencyP99: p99})
		r.Run = i + 1
		r.Curves[0].Points[0][1] = p99
		s.Results = append(s.Results, r)
	}
	if all := curves(&s, "fanout-paced", result.LatencyCurve, result.LatencyP99); len(all) != 1 || all[0].points[0][1] != 0.2 {
		t.Errorf("%v", all)
	}
}

// checkSVG wants well-formed XML with a text for each of what is given.
func checkSVG(t *testing.T, svg string, texts ...string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	var content strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if data, ok := token.(xml.CharData); ok {
			content.Write(append(data, '\n'))
		}
	}
	for _, text := range texts {
		if !strings.Contains(content.String(), text) {
			t.Errorf("no %q in %s", text, content.String())
		}
	}
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(svg, bad) {
			t.Errorf("%s in %s", bad, svg)
		}
	}
}

func TestCharts(t *testing.T) {
	t.Parallel()
	s := sample()
	files := charts(&s, "fanout-paced", "Paced <&>")
	if len(files) != 2 {
		t.Fatalf("%d charts", len(files))
	}
	checkSVG(t, files[0].svg, "Paced <&>", "hub", "limit", "50%", "90%", "99%", "100 ms")
	checkSVG(t, files[1].svg, "20 MB", "hub")
	files = charts(&s, "growth", "Growth")
	if len(files) != 2 {
		t.Fatalf("%d charts", len(files))
	}
	checkSVG(t, files[0].svg, "4 KB", "15,000")
	for name, c := range map[string]*chart{
		"no series":    {x: axis{format: significant}, y: axis{format: significant}},
		"one point":    {x: axis{format: significant}, y: axis{format: significant}, series: []series{{"a", [][2]float64{{1, 0}}}}},
		"an empty one": {x: axis{format: significant}, y: axis{format: significant}, series: []series{{"a", nil}}},
		"equal in height": {x: axis{format: significant}, y: axis{format: significant}, series: []series{
			{"a", [][2]float64{{1, 5}, {2, 5}}}, {"b", [][2]float64{{1, 5}, {2, 5}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkSVG(t, c.svg())
		})
	}
}

func TestLabelsDoNotMeet(t *testing.T) {
	t.Parallel()
	y := []float64{100, 100, 105, 300, 99}
	spreadApart(y)
	for i := range y {
		for j := range i {
			if d := y[i] - y[j]; d < labelGap && d > -labelGap {
				t.Errorf("%v: %d and %d meet", y, i, j)
			}
		}
	}
}

func TestRoundStep(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]float64{1: 1, 1.1: 2, 2.2: 2.5, 3: 5, 7: 10, 0.03: 0.05, 1200: 2000} {
		if got := roundStep(v); got < want*0.999 || got > want*1.001 {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{
		Results: filepath.Join(dir, "bench", "results"), Notes: filepath.Join(dir, "notes.md"), Output: filepath.Join(dir, "BENCHMARKS.md"),
		Workloads: []Workload{{"fanout-paced", "Paced"}, {"growth", "Growth"}, {"idle", "Idle"}},
	}
	quick := sample()
	quick.Quick = true
	if _, err := quick.Save(o.Results); err != nil {
		t.Fatal(err)
	}
	if err := Write(o, io.Discard); !errors.Is(err, ErrNoResults) {
		t.Fatalf("%v", err)
	}
	full := sample()
	full.At = full.At.Add(-time.Hour)
	if _, err := full.Save(o.Results); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Notes, []byte("# Notes\n\n## fanout-paced\n\nIt falls short because.\n\n## other\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(o, io.Discard); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(o.Output)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"It falls short because.", "(bench/results/fanout-paced-latency.svg)", "| **150 ms** | 100 ms | 1.50 x | at most 0.9 x limit | no | 487 ms |",
		"| live memory per stream | 2 KB | 2.05 KB | 1.02 x | yes |", "## Growth", "commit abcdef",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
	if strings.Contains(string(page), "## Idle") {
		t.Error("a workload without results has a section")
	}
	if _, err := os.Stat(filepath.Join(o.Results, "growth-cpu.svg")); err != nil {
		t.Error(err)
	}
}
