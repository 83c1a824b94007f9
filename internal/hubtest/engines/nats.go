package engines

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// natsVariable hands its settings to a process that is to be a server.
const natsVariable = "HUBD_TEST_NATS_SERVER"

// natsMaxPayload lets the suite's largest events through. The server's own default is 1 MiB.
const natsMaxPayload = 8 << 20

// natsPatience is how long a server may take to start, or to agree with others.
const natsPatience = 60 * time.Second

// natsSettings are those of a server.
type natsSettings struct {
	Name, Dir  string
	Port       int
	SyncAlways bool
	// ClusterPort is 0 for a server on its own.
	ClusterPort int
	Routes      []string
}

// NATS is a server with JetStream in a process of its own, which is the test binary executed again; see ServeNATS. Its
// data and its port outlive it.
type NATS struct {
	// URL is that of the server, without a stream.
	URL string
	// Name is the server's name, by which others call it.
	Name string

	settings natsSettings
	cmd      *exec.Cmd
	input    io.Closer // the server ends when it is closed
}

// ServeNATS makes a server of a process that this package has started, and returns at once in any other. It is the first call of
// TestMain in each package whose tests use NATS.
func ServeNATS() {
	text := os.Getenv(natsVariable)
	if text == "" {
		return
	}
	if err := serveNATS(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveNATS(text string) error {
	var c natsSettings
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	o := &server.Options{
		ServerName: c.Name, Host: "127.0.0.1", Port: c.Port, JetStream: true, StoreDir: c.Dir, SyncAlways: c.SyncAlways,
		MaxPayload: natsMaxPayload, MaxPending: 64 << 20, NoLog: true, NoSigs: true,
	}
	if c.ClusterPort > 0 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.ClusterPort}
		for _, route := range c.Routes {
			u, err := url.Parse(route)
			if err != nil {
				return err
			}
			o.Routes = append(o.Routes, u)
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(natsPatience) {
		return errors.New("the NATS server does not take connections")
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

// RunNATS starts a server whose data lie in dir; for TestMain, which calls Stop.
func RunNATS(dir string, syncAlways bool) (*NATS, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	n := newNATS(natsSettings{Name: "alone", Dir: dir, Port: port, SyncAlways: syncAlways})
	return n, n.Restart()
}

// StartNATS starts a server that ends with the test.
func StartNATS(t testing.TB, syncAlways bool) *NATS {
	t.Helper()
	n, err := RunNATS(t.TempDir(), syncAlways)
	if err != nil {
		t.Fatalf("start a NATS server: %v", err)
	}
	t.Cleanup(n.Stop)
	return n
}

// Dir returns the directory of the server's data.
func (n *NATS) Dir() string { return n.settings.Dir }

func newNATS(c natsSettings) *NATS {
	return &NATS{URL: "nats://127.0.0.1:" + strconv.Itoa(c.Port), Name: c.Name, settings: c}
}

// freePort returns a port of the loopback interface that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Restart starts the server, which has ended, on the port and with the data that it had.
func (n *NATS) Restart() error {
	text, err := json.Marshal(n.settings)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), natsVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cmd, n.input = cmd, input
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		n.Stop()
		return fmt.Errorf("the NATS server ended at once: %q, %w; does TestMain call ServeNATS?", line, err)
	}
	return nil
}

// Stop ends the server in the orderly way. Idempotent.
func (n *NATS) Stop() {
	if n.cmd == nil {
		return
	}
	n.Continue()
	_ = n.input.Close()
	_ = n.cmd.Wait()
	n.cmd = nil
}

// Kill ends the server as kill -9 does.
func (n *NATS) Kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	_ = n.input.Close()
	n.cmd = nil
}

// Pause stops the server's process, which keeps its connections, until Continue.
func (n *NATS) Pause() { _ = n.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a paused server go on.
func (n *NATS) Continue() { _ = n.cmd.Process.Signal(syscall.SIGCONT) }

// NATSCluster is three servers.
type NATSCluster struct{ Servers []*NATS }

// StartNATSCluster starts three servers that know each other, and end with the test.
func StartNATSCluster(t testing.TB, syncAlways bool) *NATSCluster {
	t.Helper()
	c := &NATSCluster{}
	var settings []natsSettings
	var routes []string
	for i := range 3 {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		clusterPort, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, "nats://127.0.0.1:"+strconv.Itoa(clusterPort))
		settings = append(settings, natsSettings{
			Name: fmt.Sprint("server", i+1), Dir: filepath.Join(t.TempDir(), fmt.Sprint(i)), Port: port, ClusterPort: clusterPort, SyncAlways: syncAlways,
		})
	}
	started := make(chan error, len(settings))
	for _, s := range settings {
		s.Routes = routes
		n := newNATS(s)
		c.Servers = append(c.Servers, n)
		go func() { started <- n.Restart() }()
	}
	t.Cleanup(func() {
		for _, n := range c.Servers {
			n.Stop()
		}
	})
	for range settings {
		if err := <-started; err != nil {
			t.Fatalf("start a NATS server: %v", err)
		}
	}
	c.awaitLeader(t)
	return c
}

// URL names all servers, without a stream.
func (c *NATSCluster) URL() string {
	var hosts []string
	for _, n := range c.Servers {
		hosts = append(hosts, strings.TrimPrefix(n.URL, "nats://"))
	}
	return "nats://" + strings.Join(hosts, ",")
}

// Others returns the cluster without one server, which was killed.
func (c *NATSCluster) Others(gone *NATS) *NATSCluster {
	others := &NATSCluster{}
	for _, n := range c.Servers {
		if n != gone {
			others.Servers = append(others.Servers, n)
		}
	}
	return others
}

// ask sends a request of the JetStream API to the cluster, again and again until the answer is accepted.
func (c *NATSCluster) ask(t testing.TB, subject string, question []byte, answer any, accept func() bool) {
	t.Helper()
	nc, err := nats.Connect(strings.ReplaceAll(c.URL(), ",", ",nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), natsPatience)
	defer cancel()
	for ctx.Err() == nil {
		attempt, done := context.WithTimeout(ctx, time.Second)
		reply, err := nc.RequestWithContext(attempt, "$JS.API."+subject, question)
		var refused struct {
			Error *struct{ Description string } `json:"error"`
		}
		if err == nil && json.Unmarshal(reply.Data, &refused) == nil && refused.Error == nil && json.Unmarshal(reply.Data, answer) == nil && accept() {
			done()
			return
		}
		<-attempt.Done() // no more than a request a second
		done()
	}
	t.Fatalf("no answer to %s", subject)
}

// awaitLeader waits until the servers have agreed on who makes streams, and on who is there to hold them.
func (c *NATSCluster) awaitLeader(t testing.TB) {
	t.Helper()
	var answer struct{}
	c.ask(t, "INFO", nil, &answer, func() bool { return true })
	// Some may still take others for offline.
	c.ask(t, "STREAM.CREATE.probe", []byte(`{"name":"probe","subjects":["probe"],"storage":"memory","num_replicas":3}`), &answer, func() bool { return true })
	c.ask(t, "STREAM.DELETE.probe", nil, &answer, func() bool { return true })
}

// Leader returns the server that leads the stream, once there is one.
func (c *NATSCluster) Leader(t testing.TB, stream string) *NATS {
	t.Helper()
	var answer struct {
		Cluster struct {
			Leader string `json:"leader"`
		} `json:"cluster"`
	}
	var leader *NATS
	c.ask(t, "STREAM.INFO."+stream, nil, &answer, func() bool {
		for _, n := range c.Servers {
			if n.Name == answer.Cluster.Leader {
				leader = n
			}
		}
		return leader != nil
	})
	return leader
}

// StepDown makes the leader of a stream give way to another server.
func (c *NATSCluster) StepDown(t testing.TB, stream string) {
	t.Helper()
	var answer struct{}
	c.ask(t, "STREAM.LEADER.STEPDOWN."+stream, nil, &answer, func() bool { return true })
}
