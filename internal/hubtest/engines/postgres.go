package engines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ErrNoPostgres tells that the server is not installed.
var ErrNoPostgres = errors.New("PostgreSQL's initdb and postgres are neither on PATH nor in /usr/lib/postgresql: apt-get install postgresql")

// Postgres is a PostgreSQL server on a free port of the loopback, with its data in a directory of its own. It lets the role
// hubd in as its superuser without a password.
type Postgres struct {
	// Address is its host and port.
	Address string

	dir    string
	bin    string
	args   []string
	owner  *syscall.Credential // nil is who runs the test
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	out    *bytes.Buffer
}

// RunPostgres makes a database cluster and starts its server with the arguments; for TestMain, which calls Stop. The server's
// settings are its defaults unless the arguments say otherwise.
func RunPostgres(args ...string) (*Postgres, error) {
	dir, err := os.MkdirTemp("", "hubd-postgres-")
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: dir, args: args}
	if err := p.init(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

// StartPostgres starts a server that ends with the test.
func StartPostgres(t testing.TB, args ...string) *Postgres {
	t.Helper()
	p, err := RunPostgres(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// URL returns a database of the server as one of the hub's stores; the database "postgres" is always there.
func (p *Postgres) URL(database string) string {
	return "postgres://hubd@" + p.Address + "/" + database + "?sslmode=disable"
}

// Programs returns the directory of the server's programs, psql among them.
func (p *Postgres) Programs() string { return p.bin }

func (p *Postgres) init() (err error) {
	if p.bin, err = postgresBin(); err != nil {
		return err
	}
	if p.owner, err = serverOwner(); err != nil {
		return err
	}
	if p.owner != nil {
		if err := os.Chown(p.dir, int(p.owner.Uid), int(p.owner.Gid)); err != nil {
			return err
		}
	}
	if p.Address, err = freeAddress(); err != nil {
		return err
	}
	initdb := p.command("initdb", "-D", p.data(), "-U", "hubd", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return p.start()
}

// postgresBin returns the directory of the server's programs. Debian keeps them off PATH.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	versions, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is a good one
	if len(versions) == 0 {
		return "", ErrNoPostgres
	}
	return filepath.Dir(slices.MaxFunc(versions, func(a, b string) int { return majorVersion(a) - majorVersion(b) })), nil
}

func majorVersion(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for what is no version
	return n
}

// serverOwner returns who is to run the server, which refuses to be root.
func serverOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	return cmd
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// start runs the server and waits until it takes connections.
func (p *Postgres) start() error {
	_, port, _ := net.SplitHostPort(p.Address)
	args := append([]string{"-D", p.data(), "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "max_connections=300", "-c", "log_min_messages=fatal"}, p.args...)
	out := &bytes.Buffer{}
	cmd := p.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = out, out
	exited, err := startChild(cmd, syscall.SIGQUIT) // "immediate shutdown"
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	p.mu.Lock()
	p.cmd, p.exited, p.out = cmd, exited, out
	p.mu.Unlock()
	for deadline := time.Now().Add(patience); ; {
		if p.ready() {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("postgres ended: %s", out)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.Kill()
			return errors.New("postgres does not take connections")
		}
	}
}

// ready reads what the server says of itself: the last line of its lock file.
func (p *Postgres) ready() bool {
	b, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(b), "\n")
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(lines) > 7 && lines[0] == strconv.Itoa(p.cmd.Process.Pid) && strings.TrimSpace(lines[7]) == "ready"
}

// SQL runs statements in a database with psql, and returns the rows as text.
func (p *Postgres) SQL(t testing.TB, database, statements string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), p.URL(database), "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statements)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// processes returns the server's processes, the first one first.
func (p *Postgres) processes() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	first := p.cmd.Process.Pid
	pids := []int{first}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is a good one
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name in parentheses may have spaces in it; the parent is the second field after it.
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(first) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (p *Postgres) signal(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, s) // it may have ended
	}
}

// Pause stops all processes where they are, as a machine that hangs; connections stay open.
func (p *Postgres) Pause() {
	p.signal(p.processes()[:1], syscall.SIGSTOP) // no more of them from here on
	p.signal(p.processes(), syscall.SIGSTOP)
}

// Continue ends a pause.
func (p *Postgres) Continue() { p.signal(p.processes(), syscall.SIGCONT) }

// Kill ends all processes at once, as a crash does. Idempotent.
func (p *Postgres) Kill() {
	pids := p.processes()
	if pids == nil {
		return
	}
	p.signal(pids, syscall.SIGKILL)
	p.ended(pids)
}

// Shutdown ends the server in the way of a quick restart: connections are broken off. Idempotent.
func (p *Postgres) Shutdown() {
	pids := p.processes()
	if pids == nil {
		return
	}
	p.signal(pids, syscall.SIGCONT)
	p.signal(pids[:1], syscall.SIGINT) // "fast shutdown"
	p.ended(pids)
}

// ended waits for the end of the processes.
func (p *Postgres) ended(pids []int) {
	<-p.exited
	for _, pid := range pids[1:] {
		for deadline := time.Now().Add(patience); syscall.Kill(pid, 0) == nil && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond) // they are nobody's children any more
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = nil
}

// Restart starts the server again on the same port and data after Kill or Shutdown.
func (p *Postgres) Restart(t testing.TB) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server and removes its data. Idempotent.
func (p *Postgres) Stop() {
	p.Kill()
	_ = os.RemoveAll(p.dir)
}
