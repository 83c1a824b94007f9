//go:build linux

package process

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUsageOfThisProcess(t *testing.T) {
	t.Parallel()
	u, err := ReadUsage(os.Getpid())
	if err != nil || u.CPU <= 0 || u.RSS < 1<<20 || u.Threads < 1 {
		t.Errorf("%+v, %v", u, err)
	}
	if n, err := CountFiles(os.Getpid()); err != nil || n < 3 {
		t.Errorf("%d files, %v", n, err)
	}
	if peak, err := PeakRSS(os.Getpid()); err != nil || peak < 1<<20 {
		t.Errorf("peak %d, %v", peak, err)
	}
}

func TestNoSuchProcess(t *testing.T) {
	t.Parallel()
	const none = 1 << 30 // above any process id
	if _, err := ReadUsage(none); err == nil {
		t.Error("usage of nobody")
	}
	if _, err := CountFiles(none); err == nil {
		t.Error("files of nobody")
	}
	if _, err := Children(none); err == nil {
		t.Error("children of nobody")
	}
	if samples := NewSampler(time.Hour, none).Stop(); len(samples) > 0 {
		t.Error("samples of nobody")
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	// The command may hold spaces and parentheses.
	text := "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 7 0 1000 5000000 300 18446744073709551615 0"
	u, err := parseStat([]byte(text))
	if err != nil || u.Threads != 7 || u.RSS != 300*int64(os.Getpagesize()) {
		t.Errorf("%+v, %v", u, err)
	}
	for _, text := range []string{"", "42 (a) S 1", "nothing"} {
		if _, err := parseStat([]byte(text)); !errors.Is(err, ErrStat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 7 0 1000 5000000 300"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = parseStat(text) })
}

func TestChildStops(t *testing.T) {
	t.Parallel()
	c, err := Start(exec.Command("sleep", "100"), nil)
	if err != nil {
		t.Fatal(err)
	}
	pids, err := Children(os.Getpid())
	if err != nil || !slices.Contains(pids, c.PID()) {
		t.Errorf("%v, %v", pids, err)
	}
	sampler := NewSampler(time.Millisecond, c.PID())
	// sleep dies of the signal: that is no clean end, and the error says so.
	if err := c.Stop(10 * time.Second); !errors.Is(err, ErrExited) {
		t.Errorf("%v", err)
	}
	if samples := sampler.Stop(); len(samples) == 0 {
		t.Error("no samples")
	}
	if err := c.Stop(time.Second); err != nil {
		t.Errorf("the second stop: %v", err)
	}
}

func TestChildThatEndsByItself(t *testing.T) {
	t.Parallel()
	c, err := Start(exec.Command("sh", "-c", "echo first; echo cannot go on >&2; exit 3"), nil)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Stop(time.Second); !errors.Is(err, ErrExited) || !strings.HasSuffix(err.Error(), "exit status 3: cannot go on") {
		t.Errorf("%v", err)
	}
}

func TestChildThatDoesNotListenIsKilled(t *testing.T) {
	t.Parallel()
	c, err := Start(exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(string(c.out.bytes()), "ready") {
		if _, err := ReadUsage(c.PID()); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Stop(time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("%v", err)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	if _, err := Start(exec.Command("/does/not/exist"), nil); err == nil {
		t.Error("a program that does not exist was started")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var out tail
	for range 3 {
		if n, err := out.Write([]byte(strings.Repeat("x", keepOutput) + "end")); n != keepOutput+3 || err != nil {
			t.Fatal(n, err)
		}
	}
	if b := out.bytes(); len(b) != keepOutput || !strings.HasSuffix(string(b), "end") {
		t.Errorf("%d bytes are kept", len(b))
	}
}

func TestParseMetrics(t *testing.T) {
	t.Parallel()
	got, err := parseMetrics(strings.NewReader(`# HELP a text
# TYPE a gauge
a 1
b{x="y z",w="v"} 2.5e3 1700000000
c NaN
malformed
`))
	if err != nil || got["a"] != 1 || got[`b{x="y z",w="v"}`] != 2500 {
		t.Errorf("%v, %v", got, err)
	}
	if _, ok := got["malformed"]; ok {
		t.Error("a line without a value was taken")
	}
}

func TestLabelled(t *testing.T) {
	t.Parallel()
	samples := map[string]float64{
		`ends_total{reason="client"}`: 3, `ends_total{reason="stalled"}`: 0, `ends_total{reason="x",more="y"}`: 1,
		`ends_totals{reason="z"}`: 1, `ends_total`: 1,
	}
	got := Labelled(samples, "ends_total", "reason")
	if !maps.Equal(got, map[string]float64{"client": 3, "stalled": 0}) {
		t.Errorf("%v", got)
	}
}

func TestReadProfile(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/debug/pprof/mutex" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, "profile of "+r.FormValue("seconds"))
	}))
	defer server.Close()
	if b, err := ReadProfile(t.Context(), server.URL+"/debug/pprof/mutex?seconds=2"); err != nil || string(b) != "profile of 2" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := ReadProfile(t.Context(), server.URL+"/other"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
	if _, err := ReadMetrics(t.Context(), "http://127.0.0.1:1/metrics"); err == nil {
		t.Error("metrics of nobody")
	}
}
