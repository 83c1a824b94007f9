package engines

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server has to start or to end. It is no expectation of speed.
const patience = 60 * time.Second

// ErrNoRedis tells that the server is not installed.
var ErrNoRedis = errors.New("redis-server is not on PATH: apt-get install redis-server")

// Redis is a redis-server process on a free port of the loopback, with its data in a directory of its own.
type Redis struct {
	// Address is its host and port.
	Address string

	dir      string
	args     []string
	sentinel bool
	mu       sync.Mutex
	cmd      *exec.Cmd
	exited   chan struct{}
	out      *bytes.Buffer
}

// RunRedis starts a server with the arguments, which follow those that keep it to itself; for TestMain, which calls Stop.
// It keeps an append-only file that it syncs with every write unless the arguments say otherwise.
func RunRedis(args ...string) (*Redis, error) {
	dir, err := os.MkdirTemp("", "hubd-redis-")
	if err != nil {
		return nil, err
	}
	r := &Redis{dir: dir, args: args}
	if r.Address, err = freeAddress(); err == nil {
		err = r.start()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return r, nil
}

// StartRedis starts a server that ends with the test.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	r, err := RunRedis(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// StartSentinel starts a Sentinel that watches the master under the name, and takes it for dead after half a second. It
// ends with the test.
func StartSentinel(t testing.TB, name string, master *Redis) *Redis {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	r := &Redis{dir: t.TempDir(), Address: address, sentinel: true}
	file := filepath.Join(r.dir, "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %s 1\n"+
		"sentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 5000\n", r.Port(), r.dir, name, master.Port(), name, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.args = []string{file, "--sentinel"}
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// URL returns the address as one of the hub's stores.
func (r *Redis) URL() string { return "redis://" + r.Address }

// Dir returns the directory of its data.
func (r *Redis) Dir() string { return r.dir }

// Port returns the port of its address.
func (r *Redis) Port() string {
	_, port, _ := net.SplitHostPort(r.Address)
	return port
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}

// start runs the process and waits until it answers.
func (r *Redis) start() error {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return ErrNoRedis
	}
	args := r.args
	if !r.sentinel {
		args = append([]string{"--port", r.Port(), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "",
			"--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"}, args...)
	}
	r.out = &bytes.Buffer{}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = r.out, r.out, r.dir
	exited, err := startChild(cmd, syscall.SIGKILL)
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	r.mu.Lock()
	r.cmd, r.exited = cmd, exited
	r.mu.Unlock()
	for deadline := time.Now().Add(patience); ; {
		if answer, err := r.Command("PING"); err == nil && answer == "PONG" {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("redis-server ended: %s", r.out)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.Kill()
			return errors.New("redis-server does not answer")
		}
	}
}

// Command sends a command, whose words have no line breaks, on a connection of its own and returns the answer where it
// is one line or one text.
func (r *Redis) Command(words ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", r.Address, time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := conn.Write([]byte(text)); err != nil {
		return "", err
	}
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	switch line[0] {
	case '-':
		return "", errors.New(line[1:])
	case '$':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return "", err
		}
		b := make([]byte, n)
		for read := 0; read < n; {
			more, err := reader.Read(b[read:])
			if err != nil {
				return "", err
			}
			read += more
		}
		return string(b), nil
	}
	return line[1:], nil
}

// Must is Command for what has to work.
func (r *Redis) Must(t testing.TB, words ...string) string {
	t.Helper()
	answer, err := r.Command(words...)
	if err != nil {
		t.Fatalf("redis %s: %v", strings.Join(words, " "), err)
	}
	return answer
}

// AwaitInfo waits until a section of what the server tells of itself has the text. Its clients are disconnected when it
// becomes a master.
func (r *Redis) AwaitInfo(t testing.TB, section, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		info, err := r.Command("INFO", section)
		if err == nil && strings.Contains(info, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s of the redis-server at %s does not come to have %s: %v", section, r.Address, text, err)
		}
	}
}

func (r *Redis) signal(s syscall.Signal) (exited chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(s)
	}
	return r.exited
}

// Pause stops the process where it is, as a machine that hangs; connections stay open.
func (r *Redis) Pause() { r.signal(syscall.SIGSTOP) }

// Continue ends a pause.
func (r *Redis) Continue() { r.signal(syscall.SIGCONT) }

// Kill ends the process at once, as a crash does. Idempotent.
func (r *Redis) Kill() {
	if exited := r.signal(syscall.SIGKILL); exited != nil {
		<-exited
	}
}

// Shutdown ends the process in the orderly way. Idempotent.
func (r *Redis) Shutdown() {
	if exited := r.signal(syscall.SIGTERM); exited != nil {
		<-exited
	}
}

// Follow makes the server a replica of another and waits until it has what that has.
func (r *Redis) Follow(t testing.TB, master *Redis) {
	t.Helper()
	r.Must(t, "REPLICAOF", "127.0.0.1", master.Port())
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if strings.Contains(r.Must(t, "INFO", "replication"), "master_link_status:up") &&
			strings.Contains(master.Must(t, "INFO", "replication"), "state=online") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the replica does not come up")
		}
	}
}

// Restart starts the process again on the same port and data after a Kill or Shutdown.
func (r *Redis) Restart(t testing.TB) {
	t.Helper()
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the process and removes its data. Idempotent.
func (r *Redis) Stop() {
	r.Kill()
	_ = os.RemoveAll(r.dir)
}

// Socket returns the path at which a server with the argument "--unixsocket" may have its socket.
func (r *Redis) Socket() string { return filepath.Join(r.dir, "redis.sock") }
