package pprof

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestLiveness(t *testing.T) {
	t.Parallel()
	o := options()
	o.Ready = func() error { return errors.New("not ready") }
	f := start(t, o)
	if status, _, body := f.do(http.MethodGet, "/livez", ""); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/livez is %d %q, want 200 whatever the readiness", status, body)
	}
	if status, _, body := f.do(http.MethodHead, "/livez", ""); status != http.StatusOK || body != "" {
		t.Errorf("HEAD /livez is %d %q", status, body)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	reasons := make(chan error, 2)
	o := options()
	o.Ready = func() error { return <-reasons }
	f := start(t, o)
	reasons <- errors.New("the store is held by another process")
	status, header, body := f.do(http.MethodGet, "/readyz", "")
	if status != http.StatusServiceUnavailable || body != "the store is held by another process\n" {
		t.Errorf("/readyz is %d %q", status, body)
	}
	if header.Get("Content-Type") != "text/plain; charset=utf-8" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers of /readyz: %v", header)
	}
	reasons <- nil
	if status, _, body := f.do(http.MethodGet, "/readyz", ""); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/readyz is %d %q", status, body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "mercure_updates_total", Help: "Updates."})
	counter.Add(3)
	registry.MustRegister(counter)
	o := options()
	o.Metrics = registry
	status, header, body := start(t, o).do(http.MethodGet, "/metrics", "")
	if status != http.StatusOK || !strings.Contains(body, "\nmercure_updates_total 3\n") {
		t.Errorf("/metrics is %d:\n%s", status, body)
	}
	if !strings.HasPrefix(header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("content type is %q", header.Get("Content-Type"))
	}
}

type faultyCollector struct{}

func (faultyCollector) Describe(chan<- *prometheus.Desc) {}
func (faultyCollector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(errors.New("broken")), errors.New("broken"))
}

func TestMetricsShowWhatCanBeGathered(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "mercure_updates_total", Help: "Updates."})
	registry.MustRegister(counter, faultyCollector{})
	o := options()
	o.Metrics = registry
	if status, _, body := start(t, o).do(http.MethodGet, "/metrics", ""); status != http.StatusOK || !strings.Contains(body, "mercure_updates_total 0") {
		t.Errorf("/metrics is %d:\n%s", status, body)
	}
}

func TestAFaultIsAnsweredAndServingGoesOn(t *testing.T) {
	t.Parallel()
	o := options()
	o.Ready = func() error { panic("fault") }
	o.Metrics = prometheus.GathererFunc(nil)
	f := start(t, o)
	for _, path := range []string{"/readyz", "/metrics"} {
		if status, _, body := f.do(http.MethodGet, path, ""); status != http.StatusInternalServerError || !strings.Contains(body, "see the log") {
			t.Errorf("%s is %d %q", path, status, body)
		}
	}
	if status, _, _ := f.do(http.MethodGet, "/livez", ""); status != http.StatusOK {
		t.Errorf("/livez is %d after the fault", status)
	}
}

func TestProfiles(t *testing.T) {
	// Not parallel: the process has one CPU profile and one trace.
	f := start(t, options())
	f.profiles.after = func(time.Duration) <-chan time.Time { return time.After(0) }
	for path, want := range map[string]string{
		"/debug/pprof/heap":                 "\x1f\x8b", // gzip, as go tool pprof takes it
		"/debug/pprof/heap?gc=1":            "\x1f\x8b",
		"/debug/pprof/allocs":               "\x1f\x8b",
		"/debug/pprof/goroutine":            "\x1f\x8b",
		"/debug/pprof/threadcreate":         "\x1f\x8b",
		"/debug/pprof/mutex":                "\x1f\x8b",
		"/debug/pprof/block":                "\x1f\x8b",
		"/debug/pprof/mutex?seconds=1":      "\x1f\x8b",
		"/debug/pprof/block?seconds=1":      "\x1f\x8b",
		"/debug/pprof/profile?seconds=1":    "\x1f\x8b",
		"/debug/pprof/trace?seconds=1":      "go 1.",
		"/debug/pprof/goroutine?debug=1":    "goroutine profile: total ",
		"/debug/pprof/goroutine?debug=2":    "goroutine ",
		"/debug/pprof/heap?debug=1":         "heap profile: ",
		"/debug/pprof/mutex?debug=1":        "--- mutex:",
		"/debug/pprof/symbol":               "num_symbols: 1\n",
		"/debug/pprof/symbol?0x1+0xzz+junk": "num_symbols: 1\n",
	} {
		status, header, body := f.do(http.MethodGet, path, "")
		if status != http.StatusOK || !strings.HasPrefix(body, want) {
			t.Errorf("%s is %d %.40q, want %q first", path, status, body, want)
		}
		if text := strings.HasPrefix(header.Get("Content-Type"), "text/plain"); text != (want[0] != 0x1f && want != "go 1.") {
			t.Errorf("%s has content type %q", path, header.Get("Content-Type"))
		}
	}
}

func TestBlockProfileIsSampledWhileItIsTaken(t *testing.T) {
	// Not parallel: the rate is the process's.
	f := start(t, options())
	f.profiles.after = func(time.Duration) <-chan time.Time { return time.After(time.Millisecond) }
	// The handler's own wait is long enough to be sampled for certain.
	if _, _, body := f.do(http.MethodGet, "/debug/pprof/block?seconds=1&debug=1", ""); !strings.Contains(body, "pprof.(*profiles).wait") {
		t.Errorf("the profile lacks the wait of the handler:\n%s", body)
	}
}

func TestMutexProfileIsSampledWhileItIsTaken(t *testing.T) {
	// Not parallel: the rate is the process's.
	f := start(t, options())
	rate := make(chan int, 1)
	f.profiles.after = func(time.Duration) <-chan time.Time {
		rate <- runtime.SetMutexProfileFraction(-1)
		return time.After(0)
	}
	f.do(http.MethodGet, "/debug/pprof/mutex?seconds=1", "")
	if got := <-rate; got != mutexFraction {
		t.Errorf("the rate was %d while the profile was taken, want %d", got, mutexFraction)
	}
	if got := runtime.SetMutexProfileFraction(-1); got != 0 {
		t.Errorf("the rate is %d afterwards, want 0", got)
	}
}

func TestSymbol(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	_, _, goroutines := f.do(http.MethodGet, "/debug/pprof/goroutine?debug=1", "")
	address := regexp.MustCompile(`0x[0-9a-f]{5,}`).FindString(goroutines)
	if _, _, body := f.do(http.MethodPost, "/debug/pprof/symbol", address+"+0x1"); !regexp.MustCompile(`^num_symbols: 1\n` + address + ` \S+\n$`).MatchString(body) {
		t.Errorf("symbol of %s: %q", address, body)
	}
}

func TestTimedProfilesAreTakenOneAtATime(t *testing.T) {
	// Not parallel: the process has one CPU profile and one trace.
	for _, path := range []string{"/debug/pprof/profile", "/debug/pprof/trace", "/debug/pprof/mutex?seconds=1", "/debug/pprof/block?seconds=1"} {
		f := start(t, options())
		taking, done := make(chan struct{}), make(chan time.Time)
		f.profiles.after = func(time.Duration) <-chan time.Time {
			close(taking)
			return done
		}
		first := make(chan int, 1)
		go func() {
			status, _, _ := f.do(http.MethodGet, path, "")
			first <- status
		}()
		<-taking
		if status, _, body := f.do(http.MethodGet, path, ""); status != http.StatusConflict || !strings.Contains(body, "try again") {
			t.Errorf("%s: the second request is %d %q", path, status, body)
		}
		close(done)
		if status := <-first; status != http.StatusOK {
			t.Errorf("%s: the first request is %d", path, status)
		}
	}
}

func TestSecondsAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	for _, profile := range []string{"profile", "trace", "mutex", "block"} {
		for _, value := range []string{"0", "301", "-1", "1.5", "x", ""} {
			if status, _, body := f.do(http.MethodGet, "/debug/pprof/"+profile+"?seconds="+value, ""); status != http.StatusBadRequest || !strings.Contains(body, "from 1 to 300") {
				t.Errorf("%s for %q seconds is %d %q", profile, value, status, body)
			}
		}
	}
}

func TestCommandLineIsNotDisclosed(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	for _, path := range []string{"/debug/pprof/cmdline", "/debug/pprof/cmdline/", "/debug/vars"} {
		if status, _, _ := f.do(http.MethodGet, path, ""); status != http.StatusNotFound {
			t.Errorf("%s is %d, want 404", path, status)
		}
	}
	// net/http/pprof would have put it there.
	if _, pattern := http.DefaultServeMux.Handler(&http.Request{Method: http.MethodGet, URL: mustURL(t, "/debug/pprof/cmdline")}); pattern != "" {
		t.Errorf("the default mux serves %q", pattern)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		if status, header, _ := f.do(method, "/debug/pprof/heap", ""); status != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s is %d, Allow %q", method, status, header.Get("Allow"))
		}
	}
}

func TestEveryLinkOfThePageLeadsSomewhere(t *testing.T) {
	// Not parallel: it takes every profile.
	f := start(t, options())
	f.profiles.after = func(time.Duration) <-chan time.Time { return time.After(0) }
	status, header, body := f.do(http.MethodGet, profilePath, "")
	if status != http.StatusOK || header.Get("Content-Type") != "text/html; charset=utf-8" || header.Get("Content-Security-Policy") == "" {
		t.Fatalf("%s is %d with headers %v", profilePath, status, header)
	}
	found := regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(found) != len(links()) {
		t.Errorf("%d links, want %d", len(found), len(links()))
	}
	for _, link := range found {
		if status, _, _ := f.do(http.MethodGet, html.UnescapeString(link[1]), ""); status != http.StatusOK {
			t.Errorf("%s is %d", link[1], status)
		}
	}
}

func mustURL(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
