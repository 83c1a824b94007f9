//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"hubd/bench/report"
	"hubd/bench/result"
	"hubd/bench/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptions(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"-workload", "idle,connect", "-streams", "50", "-rate", "0", "-hub-flags", "--a=b --c"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.workloads) != 2 || len(o.against) != 2 || len(o.hubFlags) != 2 || len(o.keys.Publisher) < 32 || o.keys.Subscriber != o.keys.Publisher {
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
