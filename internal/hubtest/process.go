package hubtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Secret is the HMAC secret of both roles in every test hub.
const Secret = "a secret for tests, long enough for HS256"

// Patience is how long a test waits for something that must happen before it calls it missing. It
// is no expectation of speed.
const Patience = 60 * time.Second

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hubd-test-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "hubd")
	args := []string{"build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "hubd/cmd/hubd")...).CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return binary, nil
})

// Binary returns the path of hubd, built once for all tests of a package.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("building hubd: %v", err)
	}
	return path
}

// Clean removes what Binary built; for TestMain, after the tests.
func Clean() {
	if path, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
}

// Process is a running hub.
type Process struct {
	// URL is the hub's URL and Admin the base URL of its admin server.
	URL, Admin string
	// PID is the process id.
	PID int

	cmd     *exec.Cmd
	address string
	client  *http.Client // nil is the one of the package
	exited  chan struct{}
	lines   chan string

	mu  sync.Mutex
	log bytes.Buffer
}

// Start runs "hubd serve" with the arguments in dir and returns once it serves. The store is dir/hub.db
// unless the arguments say otherwise.
func Start(t testing.TB, dir string, args ...string) *Process {
	t.Helper()
	p := Launch(t, dir, args...)
	p.AwaitServing(t)
	return p
}

// Launch runs "hubd serve" and returns at once.
func Launch(t testing.TB, dir string, args ...string) *Process {
	t.Helper()
	p, err := launch(t, dir, nil, args)
	if err != nil {
		t.Fatalf("starting hubd: %v", err)
	}
	return p
}

// launch runs "hubd serve" with attributes of its process. The error is that it cannot be run so.
func launch(t testing.TB, dir string, attributes *syscall.SysProcAttr, args []string) (*Process, error) {
	t.Helper()
	base := []string{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--log-format=json"}
	p := &Process{exited: make(chan struct{}), lines: make(chan string, 1024)}
	p.cmd = exec.Command(Binary(t), append(base, args...)...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "HUBD_PUBLISHER_KEY="+Secret, "HUBD_SUBSCRIBER_KEY="+Secret)
	p.cmd.SysProcAttr = attributes
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.PID = p.cmd.Process.Pid
	go p.watch(stderr)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("log of hubd (process %d):\n%s", p.PID, p.Log())
		}
	})
	return p, nil
}

// watch keeps the process's log and waits for its end.
func (p *Process) watch(stderr io.Reader) {
	scanner := bufio.NewScanner(stderr)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		p.mu.Lock()
		p.log.WriteString(scanner.Text() + "\n")
		p.mu.Unlock()
		select {
		case p.lines <- scanner.Text():
		default:
		}
	}
	_ = p.cmd.Wait()
	close(p.lines)
	close(p.exited)
}

// AwaitServing waits for the hub to say on which addresses it serves.
func (p *Process) AwaitServing(t testing.TB) {
	t.Helper()
	entry := p.AwaitLog(t, "serving")
	p.address, p.Admin = "http://"+entry["address"], "http://"+entry["admin"]
	p.URL = p.address + "/.well-known/mercure"
}

// speaker returns the client that reaches the hub.
func (p *Process) speaker() *http.Client {
	if p.client != nil {
		return p.client
	}
	return client
}

// Address returns the address of the hub as a URL without a path.
func (p *Process) Address() string { return p.address }

// AwaitLog waits for a line of the log with the message and returns its text fields.
func (p *Process) AwaitLog(t testing.TB, message string) map[string]string {
	t.Helper()
	patience := time.NewTimer(Patience)
	defer patience.Stop()
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				t.Fatalf("hubd ended before it logged %q:\n%s", message, p.Log())
			}
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) != nil || fields["msg"] != message {
				continue
			}
			entry := make(map[string]string)
			for key, value := range fields {
				if text, ok := value.(string); ok {
					entry[key] = text
				}
			}
			return entry
		case <-patience.C:
			t.Fatalf("hubd did not log %q:\n%s", message, p.Log())
		}
	}
}

// Log returns what the process has written to stderr.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("signalling hubd: %v", err)
	}
}

// Wait waits for the process to end and returns its exit code, -1 after a signal.
func (p *Process) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(Patience):
		t.Fatalf("hubd did not end:\n%s", p.Log())
		return 0
	}
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop ends the hub as an operator does, and fails the test unless it ends cleanly.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	if code := p.Wait(t); code != 0 {
		t.Fatalf("hubd ended with code %d:\n%s", code, p.Log())
	}
}

// Kill ends the process at once, as a crash does.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGKILL)
	p.Wait(t)
}

// Get fetches a page and returns its status and text.
func Get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	return get(t, client, url)
}

// Get fetches a page of the admin server.
func (p *Process) Get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	return get(t, p.speaker(), p.Admin+path)
}

func get(t testing.TB, client *http.Client, url string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("getting %s: %v", url, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading %s: %v", url, err)
	}
	return res.StatusCode, string(text)
}

// Metric returns the value of a metric without labels, or with them as they are written.
func (p *Process) Metric(t testing.TB, name string) string {
	t.Helper()
	_, text := p.Get(t, "/metrics")
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// AwaitMetric asks for a metric until it has the value; what the metric counts happens on its own time.
func (p *Process) AwaitMetric(t testing.TB, name, want string) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		got := p.Metric(t, name)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %q, want %q", name, got, want)
		}
	}
}
