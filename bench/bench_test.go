//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hubd/bench/report"
	"hubd/bench/result"
	"hubd/bench/target"
	"hubd/bench/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"-workload", "idle,connect", "-streams", "50", "-rate", "0", "-hub-flags", "--a=b --c"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.workloads) != 2 || len(o.against) != 3 || len(o.hubFlags) != 2 || len(o.keys.Publisher) < 32 || o.keys.Subscriber != o.keys.Publisher {
		t.Errorf("%+v", o)
	}
	p := o.apply(result.Params{Streams: 10_000, Rate: 5, Seconds: 20, Payload: 128})
	if p.Streams != 50 || p.Rate != 0 || p.Seconds != 20 || p.Payload != 128 {
		t.Errorf("%+v", p)
	}
	if o, err = parseOptions(nil, io.Discard); err != nil || len(o.workloads) != len(workload.All()) {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, args string
		results    string
		against    string
	}{
		{"nothing given", "", "bench/results", "limit,limit-2,nchan"},
		{"quick", "-quick", "", "limit"},
		{"quick, all given", "-quick -results r -against limit-2", "r", "limit-2"},
		{"other parameters are not kept", "-streams 500", "", "limit,limit-2,nchan"},
		{"unless that is asked for", "-streams 500 -results r", "r", "limit,limit-2,nchan"},
		{"nor are runs by another rule", "-attempts 1", "", "limit,limit-2,nchan"},
		{"other flags do not matter", "-runs 3 -store memory -against limit", "bench/results", "limit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, err := parseOptions(strings.Fields(test.args), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var stderr strings.Builder
			o.defaults(&stderr, func() (string, string, error) { return "/nginx", "/nchan", nil })
			if got := strings.Join(o.against, ","); got != test.against || o.results != test.results || stderr.Len() > 0 {
				t.Errorf("against %s, results %q; %s", got, o.results, stderr.String())
			}
		})
	}
}

func TestRatiosAreOfMoreRuns(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][2]int{"": {1, 3}, "-runs 2": {2, 6}, "-quick": {1, 1}, "-quick -runs 2": {2, 2}} {
		o, err := parseOptions(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range workload.All() {
			n := want[0]
			if w.Name == "connect" || w.Name == "fanout-paced" {
				n = want[1]
			}
			if got := o.times(&w); got != n {
				t.Errorf("%q: %s is run %d times, want %d", args, w.Name, got, n)
			}
		}
	}
}

func TestNchanIsLeftOutWhereItIsMissing(t *testing.T) {
	t.Parallel()
	missing := func() (string, string, error) { return "", "", target.ErrNoNchan }
	for args, want := range map[string]string{"": "limit,limit-2", "-quick": "limit", "-against nchan": "nchan"} {
		o, err := parseOptions(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		o.defaults(&stderr, missing)
		if got := strings.Join(o.against, ","); got != want {
			t.Errorf("%q: against %s", args, got)
		}
		if told := strings.Contains(stderr.String(), "nchan is left out: nginx with Nchan is not installed"); told != (args == "") {
			t.Errorf("%q: %q", args, stderr.String())
		}
	}
}

func TestAWorkloadWhoseProxyIsMissingIsUnfit(t *testing.T) {
	t.Parallel()
	l := &loader{o: &options{hub: true}}
	w := workload.Workload{Needs: func() error { return target.ErrNoNginx }}
	if err := l.unfit(&w); !errors.Is(err, target.ErrNoNginx) {
		t.Errorf("%v", err)
	}
	w.Needs = nil
	if err := l.unfit(&w); err != nil {
		t.Errorf("%v", err)
	}
}

// TestSkippedWorkloadsSaySo asks for what can be run against nothing, and needs no server.
func TestSkippedWorkloadsSaySo(t *testing.T) {
	t.Parallel()
	var out, stderr strings.Builder
	err := run(t.Context(), strings.Fields("-workload private,selector-cache -hub=false -count 1000 -results="), &out, &stderr)
	if err != nil || !strings.Contains(stderr.String(), "private: skipped: ") || strings.Contains(out.String(), "(private)") {
		t.Errorf("%s%s%v", out.String(), stderr.String(), err)
	}
	if !strings.Contains(out.String(), "hits at skew 1.0 with scan") {
		t.Error(out.String())
	}
	stderr.Reset()
	dir := t.TempDir()
	args := "-workload contention -url http://127.0.0.1:1/hub -publisher-key k -against= -results " + dir
	err = run(t.Context(), strings.Fields(args), io.Discard, &stderr)
	if err != nil || !strings.Contains(stderr.String(), "contention: skipped: ") {
		t.Errorf("%s%v", stderr.String(), err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%v is kept of nothing, %v", files, err)
	}
}

func TestAFailedRunIsTold(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	l := &loader{log: &log}
	l.tell(&result.Result{Target: "hub", Failure: "lost; the hub ended streams: stalled 1", Faults: []string{"stream 3"}, Details: []string{"a lock"}, Log: "panic: x"})
	for _, want := range []string{"FAILED: lost; the hub ended streams: stalled 1\n", "stream 3\n", "a lock\n", "the last that hub wrote:\npanic: x\n"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in %s", want, log.String())
		}
	}
}

// A run is made again while others take too much of the machine; the first that they leave alone counts, or the least disturbed.
func TestDisturbedRunsAreMadeAgain(t *testing.T) {
	t.Parallel()
	failed := result.Result{Failure: "lost"}
	failed.Set(result.Taken, 0.2)
	for _, test := range []struct {
		name     string
		attempts int
		runs     []float64 // what others take; -1 is a run that failed
		counts   float64
		aside    []float64
		warned   bool
	}{
		{"left alone", 4, []float64{0.01}, 0.01, nil, false},
		{"once more", 4, []float64{0.05, 0.03}, 0.03, []float64{0.05}, false},
		{"the least of all", 4, []float64{0.3, 0.05, 0.2, 0.1}, 0.05, []float64{0.3, 0.2, 0.1}, true},
		{"as they are", 1, []float64{0.5}, 0.5, nil, false},
		{"a failure counts", 4, []float64{0.1, -1}, 0.2, []float64{0.1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := &loader{o: &options{maxTaken: 0.03, attempts: test.attempts}, log: io.Discard}
			made := 0
			r, err := l.undisturbed(func() (*result.Result, error) {
				r := result.Result{Curves: []result.Curve{{Name: result.MemoryCurve}}}
				r.Set(result.Taken, test.runs[made])
				if test.runs[made] < 0 {
					r = failed
				}
				made++
				return &r, nil
			})
			if err != nil || made != len(test.runs) || r.Figures[result.Taken] != test.counts || (r.Warning != "") != test.warned {
				t.Errorf("%d runs, %+v counts; %v", made, r, err)
			}
			var aside []float64
			for _, d := range l.set.Disturbed {
				aside = append(aside, d.Figures[result.Taken])
				if d.Curves != nil {
					t.Error("a run that does not count has kept its curves")
				}
			}
			if !slices.Equal(aside, test.aside) {
				t.Errorf("set aside: %v, want %v", aside, test.aside)
			}
		})
	}
	l := &loader{o: &options{attempts: 4}, log: io.Discard}
	if _, err := l.undisturbed(func() (*result.Result, error) { return nil, errUsage }); !errors.Is(err, errUsage) {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"-workload none", "-against none", "-store paper", "-dialect both", "-dialect 2", "-runs 0", "-streams 20000",
		"-url http://x/", "extra", "-nonsense", "limit -listen nowhere", "limit -loops 0", "limit extra", "report extra",
	} {
		if err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); !errors.Is(err, errUsage) {
			t.Errorf("%s: %v", args, err)
		}
	}
	if err := run(t.Context(), []string{"-help"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("%v", err)
	}
}

func TestLimitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"limit", "-listen", "127.0.0.1:0", "-loops", "2"}, io.Discard, w) }()
	if _, err := r.Read(make([]byte, 100)); err != nil { // it says where it listens
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestReportNeedsResults(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"report", "-results", t.TempDir()}, io.Discard, io.Discard); !errors.Is(err, report.ErrNoResults) {
		t.Errorf("%v", err)
	}
}

// TestBuildFailureLeavesNothing gives the load program a module without a hub.
func TestBuildFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := run(t.Context(), []string{"-root", t.TempDir(), "-dir", dir, "-results", ""}, io.Discard, io.Discard)
	if err == nil {
		t.Error("nothing was built, and nobody noticed")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
