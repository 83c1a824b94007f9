package pprof

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// options are valid options of a server on a free port.
func options() Options {
	return Options{
		Listen:   "127.0.0.1:0",
		Ready:    func() error { return nil },
		Metrics:  prometheus.NewRegistry(),
		Recorder: &Recorder{numbers: func() Numbers { return Numbers{Streams: 3} }},
		Logger:   slog.New(slog.DiscardHandler),
	}
}

// fixture is a running server with a client that keeps no connection behind the test.
type fixture struct {
	*Server
	t      *testing.T
	client *http.Client
	base   string
}

func start(t *testing.T, o Options) *fixture {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v", err)
		}
	})
	return &fixture{Server: s, t: t, client: &http.Client{Transport: transport}, base: "http://" + s.Addr().String()}
}

// do returns the status, the headers and the body of the answer.
func (f *fixture) do(method, path, body string) (int, http.Header, string) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), method, f.base+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	response, err := f.client.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(content)
}

func TestOptionsAreValidated(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Options){
		"no Ready":    func(o *Options) { o.Ready = nil },
		"no Metrics":  func(o *Options) { o.Metrics = nil },
		"no Recorder": func(o *Options) { o.Recorder = nil },
		"no port":     func(o *Options) { o.Listen = "127.0.0.1" },
	} {
		o := options()
		spoil(&o)
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: New() = %v, want %v", name, err, ErrOptions)
		}
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := options()
	o.Listen = taken.Addr().String()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start()
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), o.Listen) || !strings.Contains(err.Error(), "choose another admin-listen") {
		t.Errorf("Start() = %v, want it to name the address and say what to do", err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("Stop() = %v", err)
	}
}

func TestStartAndStopAreLegalInAnyOrder(t *testing.T) {
	t.Parallel()
	s, err := New(options())
	if err != nil {
		t.Fatal(err)
	}
	if s.Addr() != nil {
		t.Errorf("Addr() = %v before Start", s.Addr())
	}
	for range 2 {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop() before Start = %v", err)
		}
	}
	if err := s.Start(); !errors.Is(err, ErrState) {
		t.Errorf("Start() after Stop = %v, want %v", err, ErrState)
	}

	f := start(t, options())
	if err := f.Start(); !errors.Is(err, ErrState) {
		t.Errorf("second Start() = %v, want %v", err, ErrState)
	}
	var stops sync.WaitGroup
	for range 4 {
		stops.Go(func() {
			if err := f.Stop(context.Background()); err != nil {
				t.Errorf("Stop() = %v", err)
			}
		})
	}
	stops.Wait()
	if conn, err := net.Dial("tcp", f.Addr().String()); err == nil {
		conn.Close()
		t.Error("the address is still bound after Stop")
	}
}

func TestStopRightAfterStart(t *testing.T) {
	t.Parallel()
	for range 50 {
		s, err := New(options())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStopClosesConnectionsWithoutRequest(t *testing.T) {
	t.Parallel()
	f := start(t, options())
	silent, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f.do(http.MethodGet, "/livez", "") // leaves an idle connection; the silent one was accepted before it
	if err := f.Stop(context.Background()); err != nil {
		t.Errorf("Stop() = %v", err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent connection is open after Stop")
	}
}

// blocked returns options whose readiness check waits, a channel that tells when it does, and the
// function that lets it go on.
func blocked() (o Options, entered chan struct{}, release func()) {
	o = options()
	entered, gate := make(chan struct{}), make(chan struct{})
	o.Ready = func() error {
		entered <- struct{}{}
		<-gate
		return nil
	}
	return o, entered, sync.OnceFunc(func() { close(gate) })
}

func TestStopLetsARequestFinish(t *testing.T) {
	t.Parallel()
	o, entered, release := blocked()
	f := start(t, o)
	status := make(chan int, 1)
	go func() {
		code, _, _ := f.do(http.MethodGet, "/readyz", "")
		status <- code
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(context.Background()) }()
	<-f.stopping
	select {
	case <-stopped:
		t.Error("Stop returned while a request was under way")
	default:
	}
	release()
	if code := <-status; code != http.StatusOK {
		t.Errorf("the request got %d", code)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop() = %v", err)
	}
}

func TestStopCutsOffWhatOutlivesItsContext(t *testing.T) {
	t.Parallel()
	o, entered, release := blocked()
	f := start(t, o)
	conn, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(ctx) }()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes, want the connection to be cut off", n)
	}
	release()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("Stop() = %v, want %v", err, context.Canceled)
	}
}

func TestStopEndsTimedProfiles(t *testing.T) {
	// Not parallel: the process has one CPU profile and one trace.
	for _, path := range []string{"/debug/pprof/profile?seconds=300", "/debug/pprof/trace?seconds=300", "/debug/pprof/mutex?seconds=300"} {
		f := start(t, options())
		taking := make(chan struct{})
		f.profiles.after = func(time.Duration) <-chan time.Time {
			close(taking)
			return nil
		}
		status := make(chan int, 1)
		go func() {
			code, _, _ := f.do(http.MethodGet, path, "")
			status <- code
		}()
		<-taking
		if err := f.Stop(context.Background()); err != nil {
			t.Errorf("%s: Stop() = %v", path, err)
		}
		if code := <-status; code != http.StatusOK {
			t.Errorf("%s: the request got %d", path, code)
		}
	}
}

func TestStopJoinsATraceWhoseClientIsGone(t *testing.T) {
	// Not parallel: the process has one trace.
	f := start(t, options())
	taking := make(chan struct{})
	f.profiles.after = func(time.Duration) <-chan time.Time {
		close(taking)
		return nil
	}
	conn, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /debug/pprof/trace HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-taking
	conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = f.Stop(ctx) // whether the connection was still open is all the same
	if !f.profiles.tracing.TryLock() {
		t.Error("the trace goes on after Stop")
	}
}
