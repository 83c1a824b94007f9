package handover

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// part is what a process of the test binary is to do.
type part struct {
	// Role is "holder" or "newcomer".
	Role string
	Path string
	// Streams is how many connections a holder accepts before it serves.
	Streams int
	// Stop is the step at which the process stops for good, to be killed there. At "keep" a newcomer
	// takes streams unseen.
	Stop string
	// Descriptors is the limit of open files, if it is not zero.
	Descriptors uint64
	// Listeners are what a newcomer asks for.
	Listeners []Address
}

// report is what such a process says at its end.
type report struct {
	Counts Counts
	Error  string
	// Open is how many descriptors more it has than at its start.
	Open int
}

// play runs a part and returns the exit code.
func play(text string) int {
	var p part
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		fmt.Println(err)
		return 1
	}
	if p.Descriptors > 0 {
		limit := unix.Rlimit{Cur: p.Descriptors, Max: p.Descriptors}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	run := p.holder
	if p.Role == "newcomer" {
		run = p.newcomer
	}
	var r report
	if err := run(&r); err != nil {
		r.Error = err.Error()
	}
	say("report", r)
	_, _ = io.Copy(io.Discard, os.Stdin) // stays alive, with its streams, until it is let go
	return 0
}

// say tells the parent a word and a value.
func say(word string, value any) {
	text, _ := json.Marshal(value)
	fmt.Printf("%s %s\n", word, text)
}

// step stops the process if this is where it is to be killed.
func (p part) step(name string) error {
	if name != p.Stop {
		return nil
	}
	say("step", name)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return errors.New("let go at " + name)
}

// holder plays a hub with a public listener, which tells each client its number before it hands over.
func (p part) holder(r *report) error {
	hub, err := newFakeHub(p.Path)
	if err != nil {
		return err
	}
	hub.terms.Streams, hub.at = true, p.step
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	tcp := l.(*net.TCPListener)
	address := Address{Name: "public", Address: l.Addr().String()}
	hub.terms.Listeners = []Listener{{Address: address, Socket: tcp}}
	say("listening", address)
	before, err := openDescriptors()
	if err != nil {
		return err
	}
	for i := range p.Streams {
		conn, err := tcp.AcceptTCP()
		if err != nil {
			return err
		}
		fd, err := duplicate(conn)
		if err := errors.Join(err, conn.Close()); err != nil {
			return err
		}
		if _, err := unix.Write(fd, fmt.Appendf(nil, "holder %d\n", i)); err != nil {
			return err
		}
		hub.streams = append(hub.streams, &fakeStream{fd: fd, state: stateOf(i)})
	}
	holder, err := Listen(ListenOptions{Path: p.Path, Identity: Self("1.0-test", since)})
	if err != nil {
		return err
	}
	say("ready", nil)
	outcome, err := holder.Serve(context.Background(), hub)
	r.Counts = outcome.Streams
	_ = tcp.Close()
	after, countErr := openDescriptors()
	// The store's file and the listener were open before.
	r.Open = after - before + 2
	return errors.Join(err, countErr)
}

// newcomer plays a hub that takes over, tells each client of a stream its number and serves new ones.
func (p part) newcomer(r *report) error {
	before, err := openDescriptors()
	if err != nil {
		return err
	}
	o := askOptions(p.Path, p.Listeners...)
	if p.Stop == "connected" {
		if _, err := dialSocket(context.Background(), socketPath(p.Path)); err != nil {
			return err
		}
	}
	if err := p.step("connected"); err != nil {
		return err
	}
	s, err := Ask(context.Background(), o)
	if err != nil {
		return err
	}
	if err := errors.Join(p.step("asked"), s.AwaitReleased(context.Background()), p.step("released")); err != nil {
		return err
	}
	store, err := lock(p.Path)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := errors.Join(p.step("open"), s.Opened(context.Background()), p.step("announced")); err != nil {
		return err
	}
	taken := 0
	r.Counts, err = s.Streams(context.Background(), func(s Stream) bool {
		if p.step("take "+strconv.Itoa(taken)) != nil {
			return false
		}
		taken++
		if p.Stop == "keep" {
			return true
		}
		i, err := numberOf(s.State)
		if err == nil {
			_, err = unix.Write(s.FD, fmt.Appendf(nil, "newcomer %d\n", i))
		}
		return err == nil
	})
	after, countErr := openDescriptors()
	// Besides what it took it has the store's file and its listeners.
	r.Open = after - before - taken - 1 - len(s.Listeners())
	for _, l := range s.Listeners() {
		go serveClients(l.Listener)
	}
	return errors.Join(err, countErr, p.step("confirmed"))
}

func serveClients(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("new\n"))
		_ = conn.Close()
	}
}

// openDescriptors counts the descriptors of this process, without those of the runtime's poller, which
// come with the first use.
func openDescriptors() (int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	count := 0
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(target, "anon_inode:") && !strings.HasSuffix(target, "/fd") {
			count++
		}
	}
	return count, nil
}

// child is a process that plays a part.
type child struct {
	t     testing.TB
	part  part
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string
	ended chan struct{}
}

// start runs the part in a process of its own, which ends with the test.
func start(t testing.TB, p part, attributes *syscall.SysProcAttr) *child {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	// The link works for another user too, who may not enter the binary's directory.
	c := &child{t: t, part: p, cmd: exec.Command("/proc/self/exe"), lines: make(chan string, 64), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+string(text))
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = attributes
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		defer close(c.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			c.lines <- scanner.Text()
		}
		_ = c.cmd.Wait()
	}()
	t.Cleanup(c.kill)
	return c
}

// kill ends the process at once and waits until it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// await waits until the process says the word, and reads the value.
func (c *child) await(word string, value any) {
	c.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, open := <-c.lines:
			if !open {
				c.t.Fatalf("the %s ended before it said %q", c.part.Role, word)
			}
			said, text, _ := strings.Cut(line, " ")
			if said != word {
				if slices.Contains([]string{"report", "step"}, said) {
					c.t.Fatalf("the %s said %q, want %q", c.part.Role, line, word)
				}
				continue
			}
			if err := json.Unmarshal([]byte(text), value); err != nil {
				c.t.Fatal(err)
			}
			return
		case <-late:
			c.t.Fatalf("the %s does not say %q", c.part.Role, word)
		}
	}
}

// killAt kills the process at the step where it stops.
func (c *child) killAt() {
	c.t.Helper()
	var step string
	c.await("step", &step)
	c.kill()
}
