package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// manager stands in for systemd.
type manager struct {
	t       *testing.T
	notices *net.UnixConn
	path    string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "hubd-notify-") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m := &manager{t: t, path: filepath.Join(dir, "notify")}
	if m.notices, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.notices.Close() })
	return m
}

// expect waits for a notice.
func (m *manager) expect(want string) {
	m.t.Helper()
	_ = m.notices.SetReadDeadline(time.Now().Add(hubtest.Patience))
	b := make([]byte, 1024)
	n, err := m.notices.Read(b)
	if err != nil || string(b[:n]) != want {
		m.t.Fatalf("the service manager was told %q (%v), want %q", b[:n], err, want)
	}
}

// run starts a hub that was handed the sockets.
func (m *manager) run(listen string, sockets ...*net.TCPListener) *exec.Cmd {
	m.t.Helper()
	// The shell's process becomes the hub's, so that its id is known to the one that it is for.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", hubtest.Binary(m.t), "serve", "--listen="+listen, "--admin-listen=", "--store=memory://", "--anonymous")
	cmd.Env = append(os.Environ(), "HUBD_PUBLISHER_KEY="+hubtest.Secret, "NOTIFY_SOCKET="+m.path, fmt.Sprintf("LISTEN_FDS=%d", len(sockets)))
	for _, l := range sockets {
		f, err := l.File()
		if err != nil {
			m.t.Fatal(err)
		}
		m.t.Cleanup(func() { _ = f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return cmd
}

func listener(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}

// systemd holds the address while the hub is restarted, and is told when it serves and when it stops.
func TestServiceManagerHoldsTheAddress(t *testing.T) {
	t.Parallel()
	m, l := newManager(t), listener(t)
	address := l.Addr().String()
	for range 2 {
		hub := m.run(address, l)
		if err := hub.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = hub.Process.Kill() })
		m.expect("READY=1")
		if status, body := hubtest.Get(t, "http://"+address+"/healthz"); status != http.StatusOK {
			t.Errorf("on the socket that was handed over: status %d: %s", status, body)
		}
		_ = hub.Process.Signal(syscall.SIGTERM)
		m.expect("STOPPING=1")
		if err := hub.Wait(); err != nil {
			t.Errorf("the hub ended: %v", err)
		}
		// A client that comes between two hubs waits for the next one.
		waiting, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("the address went with the hub: %v", err)
		}
		_ = waiting.Close()
	}
}

// A client that connects while no hub runs is served by the next one.
func TestConnectionsWaitForTheHub(t *testing.T) {
	t.Parallel()
	m, l := newManager(t), listener(t)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	hub := m.run(l.Addr().String(), l)
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = hub.Process.Kill()
		_ = hub.Wait()
	})
	_ = conn.SetReadDeadline(time.Now().Add(hubtest.Patience))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 ") {
		t.Errorf("the client that came first was answered %q (%v)", line, err)
	}
}

func TestActivationIsRefused(t *testing.T) {
	t.Parallel()
	m, one, other := newManager(t), listener(t), listener(t)
	for name, c := range map[string]struct {
		listen  string
		sockets []*net.TCPListener
		want    string
	}{
		"another address": {"127.0.0.1:1", []*net.TCPListener{one}, "make them the same"},
		"two sockets":     {one.Addr().String(), []*net.TCPListener{one, other}, "2 sockets were handed over"},
	} {
		out, err := m.run(c.listen, c.sockets...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, %q; want %q", name, err, out, c.want)
		}
	}
}

func TestSocketsOfAnotherProcessAreLeftAlone(t *testing.T) {
	t.Parallel()
	if m := newServiceManager([]string{"LISTEN_FDS=1", "LISTEN_PID=1"}, 2); m.sockets != 0 {
		t.Errorf("%d sockets were taken that are another process's", m.sockets)
	}
	if m := newServiceManager([]string{"LISTEN_PID=2", "LISTEN_FDS=1"}, 2); m.sockets != 1 {
		t.Errorf("%d sockets, want 1", m.sockets)
	}
	if m := newServiceManager([]string{"LISTEN_FDS=1"}, 2); m.sockets != 0 {
		t.Error("sockets were taken that name no process")
	}
}
