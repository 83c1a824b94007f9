package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// patience is how long a command of a guide may take to print what the guide says.
const patience = time.Minute

// TestGuides does what a reader of the guides does: it saves the files that they show and types their commands, in
// order, into one shell, and compares what the shell prints. In the pages,
//
//   - a code block after a line <!-- file: NAME --> is a file;
//   - in a block of the language "console" a line that begins with "$ " is a command, which goes on as long as lines
//     end with a backslash, and the lines that follow it are what it prints, with "…" for what differs each time.
//     Each of these lines must come, in any order since several programs may share the shell; what the page leaves out
//     may come as well. A block without a command is what a program in the background prints.
func TestGuides(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"quick-start", "authentication", "topics", "resuming", "moving"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newGuideReader(t, guideMachine{}).follow(t, guidePage(t, name))
		})
	}
}

func guidePage(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// guideStep is a file to save or a command to type.
type guideStep struct {
	file, content string
	command       string
	output        []string
}

var (
	guideBlock = regexp.MustCompile("(?ms)(?:^<!-- file: (\\S+) -->\n)?^```(\\w*)\n(.*?)^```$")
	marked     = regexp.MustCompile(`(?m)^guide-status (\d+)$`)
)

func guideSteps(page string) []guideStep {
	var steps []guideStep
	for _, m := range guideBlock.FindAllStringSubmatch(page, -1) {
		file, language, text := m[1], m[2], m[3]
		switch {
		case file != "":
			steps = append(steps, guideStep{file: file, content: text})
		case language == "console":
			steps = append(steps, guideCommands(text)...)
		}
	}
	return steps
}

func guideCommands(text string) []guideStep {
	var steps []guideStep
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		command, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins:
			steps = append(steps, guideStep{command: command})
		case open:
			steps[len(steps)-1].command += "\n" + line
		case strings.TrimSpace(line) != "":
			if len(steps) == 0 {
				steps = append(steps, guideStep{})
			}
			steps[len(steps)-1].output = append(steps[len(steps)-1].output, line)
			continue
		}
		open = strings.HasSuffix(line, `\`)
	}
	return steps
}

// guideReader is a shell in a directory of its own, where the addresses of the pages are free ones.
type guideReader struct {
	dir     string
	address *strings.Replacer
	hub     string
	stdin   interface{ Write([]byte) (int, error) }

	// mu guards what follows.
	mu      sync.Mutex
	output  bytes.Buffer // less what was awaited
	printed chan struct{}
}

// Write implements io.Writer for what the shell prints.
func (r *guideReader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.printed <- struct{}{}:
	default:
	}
	return r.output.Write(p)
}

// guideMachine is what a reader has besides a shell.
type guideMachine struct {
	// addresses are replaced in what the page says: each by the one after it.
	addresses []string
	// programs are directories of programs, and environment is what programs find set.
	programs, environment []string
}

func newGuideReader(t *testing.T, o guideMachine) *guideReader {
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.Symlink(hubtest.Binary(t), filepath.Join(bin, "hubd")); err != nil {
		t.Fatal(err)
	}
	hub, admin := freeAddress(t), freeAddress(t)
	addresses := []string{"127.0.0.1:3000", hub, "127.0.0.1:3001", admin}
	addresses = append(addresses, o.addresses...)
	r := &guideReader{dir: dir, hub: hub, printed: make(chan struct{}, 1), address: strings.NewReplacer(addresses...)}
	ctx, cancel := context.WithCancel(context.Background())
	shell := exec.CommandContext(ctx, "bash")
	shell.Dir = dir
	path := strings.Join(append([]string{bin}, append(o.programs, os.Getenv("PATH"))...), ":")
	shell.Env = append(append(os.Environ(), o.environment...), "PATH="+path, "HUBD_LISTEN="+hub, "HUBD_ADMIN_LISTEN="+admin, "HUBD_DRAIN=0s")
	shell.Stdout, shell.Stderr = r, r
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = shell.Wait() // killed, with all that it started
		if t.Failed() {
			t.Logf("the shell printed:\n%s", r.output.String())
		}
	})
	r.stdin = stdin
	return r
}

// freeAddress returns one that nobody listens on, below the ports that the system gives to connections of other tests.
func freeAddress(t *testing.T) string {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
}

// follow does what the page says.
func (r *guideReader) follow(t *testing.T, page string) {
	t.Helper()
	steps := guideSteps(page)
	if len(steps) == 0 {
		t.Fatal("the guide has nothing to type")
	}
	for _, s := range steps {
		r.do(t, s)
	}
}

func (r *guideReader) do(t *testing.T, s guideStep) {
	t.Helper()
	if s.file != "" {
		if err := os.WriteFile(filepath.Join(r.dir, s.file), []byte(r.address.Replace(s.content)), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if s.command != "" {
		r.enter(t, s.command)
	}
	for _, line := range s.output {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(r.address.Replace(line)), "…", ".*")
		r.await(t, s.command, regexp.MustCompile(`(?m)`+pattern+`\r?$`))
	}
	if strings.HasPrefix(s.command, "hubd serve") {
		r.awaitHub(t)
	}
}

// enter types a command and waits until the shell has run it, or has started it in the background.
func (r *guideReader) enter(t *testing.T, command string) {
	t.Helper()
	if _, err := fmt.Fprintf(r.stdin, "%s\nprintf '\\nguide-status %%d\\n' $?\n", r.address.Replace(command)); err != nil {
		t.Fatalf("typing %q: %v", command, err)
	}
	if status := r.await(t, command, marked); status[1] != "0" {
		t.Fatalf("%q exits with %s", command, status[1])
	}
}

// await waits for the pattern in what was printed, and takes it out.
func (r *guideReader) await(t *testing.T, command string, pattern *regexp.Regexp) []string {
	t.Helper()
	for late := time.After(patience); ; {
		r.mu.Lock()
		text := r.output.String()
		at := pattern.FindStringIndex(text)
		if at != nil {
			r.output.Reset()
			r.output.WriteString(text[:at[0]] + text[at[1]:])
		}
		r.mu.Unlock()
		if at != nil {
			return pattern.FindStringSubmatch(text)
		}
		select {
		case <-r.printed:
		case <-late:
			t.Fatalf("%q does not print what matches %s, but\n%s", command, pattern, text)
		}
	}
}

// awaitHub waits until the hub that a guide started in the background is ready.
func (r *guideReader) awaitHub(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", r.hub)
		if err == nil {
			_ = conn.Close()
			if status, _ := hubtest.Get(t, "http://"+r.hub+"/healthz"); status == 200 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the hub is not ready")
		}
	}
}
