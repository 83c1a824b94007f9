package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hubd/internal/hubtest"
)

// elsewhere is a network of its own, joined to the hub's by a cable that can be cut: from then on packets vanish, and
// nobody says so to either end.
type elsewhere struct{ name, hub, client string }

// newElsewhere makes a network namespace and a pair of devices. It takes root and the tools of iproute2.
func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace takes root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("a network namespace takes the ip tool of iproute2")
	}
	id := os.Getpid() % 100_000
	// Addresses for benchmarks (RFC 2544), of which nobody here has need.
	octet := id % 250
	e := &elsewhere{name: fmt.Sprintf("hubd%d", id), hub: fmt.Sprintf("198.18.%d.1", octet), client: fmt.Sprintf("198.18.%d.2", octet)}
	near, far := fmt.Sprintf("hubn%d", id), fmt.Sprintf("hubf%d", id)
	if out, err := exec.Command("ip", "netns", "add", e.name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", e.name).Run() })
	if out, err := exec.Command("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", e.name).CombinedOutput(); err != nil {
		t.Skipf("no pair of devices can be made here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", near).Run() })
	for _, command := range []string{
		"addr add " + e.hub + "/24 dev " + near, "link set " + near + " up",
		"-n " + e.name + " addr add " + e.client + "/24 dev " + far, "-n " + e.name + " link set " + far + " up",
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", command, err, out)
		}
	}
	return e
}

// cut makes packets vanish: the client's end has no address any more, so nothing answers to what is sent there, not
// even with a reset.
func (e *elsewhere) cut(t *testing.T) {
	t.Helper()
	far := strings.Replace(e.name, "hubd", "hubf", 1)
	if out, err := exec.Command("ip", "-n", e.name, "link", "set", far, "down").CombinedOutput(); err != nil {
		t.Fatalf("cutting the cable: %v: %s", err, out)
	}
}

// dial connects to the port from there. A socket stays in the network in which it was made.
func (e *elsewhere) dial(t *testing.T, port int) *os.File {
	t.Helper()
	type dialed struct {
		fd  int
		err error
	}
	result := make(chan dialed)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		fd, err := e.connect(port)
		result <- dialed{fd, err}
	}()
	d := <-result
	if d.err != nil {
		t.Fatalf("connecting from another network: %v", d.err)
	}
	f := os.NewFile(uintptr(d.fd), "connection")
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func (e *elsewhere) connect(port int) (fd int, err error) {
	ns, err := os.Open("/var/run/netns/" + e.name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = ns.Close() }()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return 0, fmt.Errorf("entering the network: %w", err)
	}
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	address := &unix.SockaddrInet4{Port: port}
	if _, err := fmt.Sscanf(e.hub, "%d.%d.%d.%d", &address.Addr[0], &address.Addr[1], &address.Addr[2], &address.Addr[3]); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	if err := unix.Connect(fd, address); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// Clients that vanish without a word: the heartbeat is a write that nobody acknowledges, and the user timeout of the socket
// ends the connection. The streams are counted, presence follows, and nothing is left, while those of others go on.
func TestHalfOpenClients(t *testing.T) {
	t.Parallel()
	net := newElsewhere(t)
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--subscriptions", "--heartbeat=1s", "--dispatch-timeout=1s", "--listen=0.0.0.0:0")
	port := portOf(t, p)
	neighbour := p.Subscribe(t, "topic="+enc(topic))
	p.PublishData(t, topic, "before")
	neighbour.Expect(t, "before")
	before := footprintOf(t, p)

	const streams, idle = 20, 5
	request := fmt.Sprintf("GET %s?topic=%s&topic=%s HTTP/1.1\r\nHost: hub.example\r\n\r\n", hubPath, enc(topic), enc("https://example.com/elsewhere"))
	for range streams {
		f := net.dial(t, port)
		if _, err := io.WriteString(f, request); err != nil {
			t.Fatal(err)
		}
	}
	for range idle { // and some that have asked for nothing yet
		net.dial(t, port)
	}
	p.AwaitMetric(t, "mercure_subscribers_connected", fmt.Sprint(streams+1))
	if got := present(t, p); got != 2*streams+1 {
		t.Fatalf("%d subscriptions are listed, want %d", got, 2*streams+1)
	}
	net.cut(t)
	p.PublishData(t, topic, "into the void")
	neighbour.Expect(t, "into the void")
	p.AwaitMetric(t, "mercure_subscribers_connected", "1")
	p.AwaitMetric(t, `hubd_disconnects_total{reason="client"}`, fmt.Sprint(streams))
	if got := present(t, p); got != 1 {
		t.Errorf("%d subscriptions are listed of clients that are gone", got-1)
	}
	awaitFootprint(t, p, before)
	p.PublishData(t, topic, "and after")
	neighbour.Expect(t, "and after")
}

// portOf returns the port that the hub listens on.
func portOf(t *testing.T, p *hubtest.Process) (port int) {
	t.Helper()
	if _, err := fmt.Sscanf(p.Address()[strings.LastIndexByte(p.Address(), ':')+1:], "%d", &port); err != nil {
		t.Fatalf("the address of the hub: %v", err)
	}
	return port
}

// present counts the subscriptions that the subscription API lists.
func present(t *testing.T, p *hubtest.Process) int {
	t.Helper()
	a := hubtest.Do(t, http.MethodGet, p.URL+"/subscriptions", "", "Authorization", "Bearer "+hubtest.Token(t, nil, []string{"*"}))
	if a.Status != http.StatusOK {
		t.Fatalf("listing subscriptions: status %d: %s", a.Status, a.Body)
	}
	return strings.Count(a.Body, `"subscriber":"`)
}
