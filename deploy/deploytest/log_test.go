package deploytest

import (
	"bufio"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// awaitLine reads a log until a line has the text, and goes on to read. It returns how to get what was read.
func awaitLine(t testing.TB, from io.Reader, text string) (log func() string) {
	t.Helper()
	var (
		mu    sync.Mutex
		lines strings.Builder
	)
	log = func() string {
		mu.Lock()
		defer mu.Unlock()
		return lines.String()
	}
	found, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		once := false
		for scanner := bufio.NewScanner(from); scanner.Scan(); {
			mu.Lock()
			lines.WriteString(scanner.Text() + "\n")
			mu.Unlock()
			if !once && strings.Contains(scanner.Text(), text) {
				once = true
				close(found)
			}
		}
	}()
	select {
	case <-found:
	case <-over:
		t.Fatalf("it ended before it logged %q:\n%s", text, log())
	case <-time.After(hubtest.Patience):
		t.Fatalf("it did not log %q:\n%s", text, log())
	}
	return log
}
