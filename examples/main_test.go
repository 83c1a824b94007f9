package examples

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hubd/internal/hubtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	hubtest.Clean()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// programs builds the examples, once, and returns where they are.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hubd-examples-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir, "./chat", "./dashboard", "./llm", "./notifications")
	if out, err := build.CombinedOutput(); err != nil {
		_, _ = os.Stderr.Write(out)
		return dir, err
	}
	return dir, nil
})

// start runs an example as its command does, and returns its address. It is interrupted when the test ends, and has to end
// cleanly.
func start(t *testing.T, name string, args ...string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatalf("building the examples: %v", err)
	}
	command := exec.Command(filepath.Join(dir, name), append([]string{"--listen=127.0.0.1:0"}, args...)...)
	command.Env = append(os.Environ(), "HUB_KEY="+hubtest.Secret)
	var stderr strings.Builder
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(2*hubtest.Patience, func() { _ = command.Process.Kill() })
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGINT)
		if err := command.Wait(); err != nil {
			t.Errorf("%s ended: %v\n%s", name, err, stderr.String())
		}
		killer.Stop()
	})
	_, address, found := strings.Cut(strings.TrimSpace(line), " is ready at ")
	if !found {
		t.Fatalf("%s is not ready, it said %q", name, line)
	}
	return address
}

// status returns what a request of another site's page, or of nobody, is answered with.
func status(t *testing.T, method, address string, header http.Header) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}
