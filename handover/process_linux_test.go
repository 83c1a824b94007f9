package handover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestTwoProcesses hands a listening socket and 1,000 connections from one process to another. Every client
// gets what both wrote, in order, and no end; a client that comes later is served by the newcomer.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	const n = 1000
	path := storePath(t)
	holder := start(t, part{Role: "holder", Path: path, Streams: n}, nil)
	var address Address
	holder.await("listening", &address)
	clients := make([]*bufio.Reader, n)
	for i := range clients {
		clients[i] = dialClient(t, address.Address)
		// One at a time, so that the clients have the holder's numbers.
		if line, err := clients[i].ReadString('\n'); err != nil || line != fmt.Sprintf("holder %d\n", i) {
			t.Fatalf("client %d got %q, %v", i, line, err)
		}
	}
	holder.await("ready", new(any))
	newcomer := start(t, part{Role: "newcomer", Path: path, Listeners: []Address{address}}, nil)
	for _, c := range []*child{holder, newcomer} {
		var r report
		c.await("report", &r)
		if r.Error != "" || r.Counts != (Counts{Taken: n}) {
			t.Fatalf("the %s reports %+v", c.part.Role, r)
		}
		if r.Open != 0 {
			t.Errorf("the %s has %d descriptors too many", c.part.Role, r.Open)
		}
	}
	holder.kill()
	for i, c := range clients {
		if line, err := c.ReadString('\n'); err != nil || line != fmt.Sprintf("newcomer %d\n", i) {
			t.Fatalf("client %d got %q, %v", i, line, err)
		}
	}
	if line, err := dialClient(t, address.Address).ReadString('\n'); err != nil || line != "new\n" {
		t.Errorf("a new client got %q, %v", line, err)
	}
	newcomer.kill()
	for i, c := range clients {
		if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("client %d got %q more, %v", i, rest, err)
		}
	}
}

func dialClient(t *testing.T, address string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return bufio.NewReader(conn)
}

// TestNewcomerIsKilled kills the newcomer at every step. Until it has announced the open store, the holder
// takes everything back and hands over to the next newcomer; later the streams that it did not take
// are still the holder's.
func TestNewcomerIsKilled(t *testing.T) {
	t.Parallel()
	const n = 1000
	for _, step := range []string{"connected", "asked", "released", "open"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			hub, far := newHub(t, path, n)
			_, ended := serve(t, hub, ListenOptions{})
			start(t, part{Role: "newcomer", Path: path, Stop: step}, nil).killAt()
			streams, counts := takeOverLater(t, path)
			if counts != (Counts{Taken: n}) {
				t.Fatalf("the next newcomer counts %+v", counts)
			}
			if s := ended(); s.err != nil || !s.HandedOver {
				t.Fatalf("Serve returned %+v", s)
			}
			want := "consider release opened streams given"
			if step != "connected" {
				want = "consider release resume " + want
			}
			if got := hub.big(); got != want {
				t.Errorf("the hub was told %q, want %q", got, want)
			}
			roundTrip(t, streams[n-1], far[n-1])
		})
	}
	for _, step := range []string{"announced", "take 0", "take 127", "take 128", "take 500", "take 999"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			hub, _ := newHub(t, path, n)
			_, ended := serve(t, hub, ListenOptions{})
			start(t, part{Role: "newcomer", Path: path, Stop: step}, nil).killAt()
			s := ended()
			if s.err == nil || !s.HandedOver {
				t.Fatalf("Serve returned %+v", s)
			}
			lost, kept := hub.settledCounts(t)
			if lost != s.Outcome.Streams.Taken+s.Outcome.Streams.Unknown || s.Outcome.Streams.Unknown > window*batchStreams {
				t.Errorf("%d streams are settled as taken, Serve says %+v", lost, s.Outcome.Streams)
			}
			if number, found := strings.CutPrefix(step, "take "); found {
				if at, _ := strconv.Atoi(number); s.Outcome.Streams.Taken > at {
					t.Errorf("%d streams are counted as taken at %q", s.Outcome.Streams.Taken, step)
				}
			}
			if lost+kept != n {
				t.Errorf("%d streams taken and %d kept", lost, kept)
			}
			if locked(t, path) {
				t.Error("the store is still locked")
			}
		})
	}
	t.Run("confirmed", func(t *testing.T) {
		t.Parallel()
		path := storePath(t)
		hub, _ := newHub(t, path, n)
		_, ended := serve(t, hub, ListenOptions{})
		start(t, part{Role: "newcomer", Path: path, Stop: "confirmed"}, nil).killAt()
		if s := ended(); s.err != nil || s.Outcome.Streams != (Counts{Taken: n}) {
			t.Errorf("Serve returned %+v", s)
		}
	})
}

// TestHolderIsKilled kills the holder at every step. The newcomer gets an error, or has what it needs
// already, and in any case the store's lock; the streams it took stay open.
func TestHolderIsKilled(t *testing.T) {
	t.Parallel()
	const n = 300
	for _, step := range []string{"consider", "release", "opened", "streams", "give 0", "give 128", "give 299", "given"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			holder := start(t, part{Role: "holder", Path: path, Streams: n, Stop: step}, nil)
			var address Address
			holder.await("listening", &address)
			clients := make([]*bufio.Reader, n)
			for i := range clients {
				clients[i] = dialClient(t, address.Address)
				if _, err := clients[i].ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			holder.await("ready", new(any))
			killed := make(chan struct{})
			go func() {
				defer close(killed)
				holder.killAt()
			}()
			defer func() { <-killed }()
			streams := make(map[int]int)
			if err := newcomerOf(t, path, streams); err == nil {
				t.Error("the newcomer saw nothing of the holder's end")
			}
			<-killed
			store, err := lock(path)
			if err != nil {
				t.Fatal(err)
			}
			_ = store.Close()
			if step == "given" && len(streams) < batchStreams {
				t.Errorf("only %d streams were taken", len(streams))
			}
			for i, fd := range streams {
				if _, err := syscall.Write(fd, []byte("still here\n")); err != nil {
					t.Fatal(err)
				}
				if line, err := clients[i].ReadString('\n'); err != nil || line != "still here\n" {
					t.Fatalf("client %d got %q, %v", i, line, err)
				}
			}
			// The socket that the dead process left is replaced.
			next, err := Listen(ListenOptions{Path: path, Identity: Self("1.1-test", since)})
			if err != nil {
				t.Fatal(err)
			}
			if err := next.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// newcomerOf plays the newcomer up to the first error.
func newcomerOf(t *testing.T, path string, streams map[int]int) error {
	s, err := askFor(t, path)
	if err != nil {
		return err
	}
	if err := s.AwaitReleased(t.Context()); err != nil {
		return err
	}
	store, err := lock(path)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := s.Opened(t.Context()); err != nil {
		return err
	}
	_, err = s.Streams(t.Context(), func(s Stream) bool { return keep(t, streams, s) })
	return err
}

// TestTooManyOpenFiles lets the newcomer run out of descriptors. It refuses the batches that do not fit and
// goes on, with the holder keeping their streams.
func TestTooManyOpenFiles(t *testing.T) {
	t.Parallel()
	const n = 1000
	path := storePath(t)
	hub, _ := newHub(t, path, n)
	_, ended := serve(t, hub, ListenOptions{})
	newcomer := start(t, part{Role: "newcomer", Path: path, Descriptors: 300}, nil)
	var r report
	newcomer.await("report", &r)
	s := ended()
	if s.err != nil || s.Outcome.Streams != r.Counts || r.Error != "" {
		t.Fatalf("Serve returned %+v, the newcomer %+v", s, r)
	}
	if taken, kept := hub.settledCounts(t); taken != 2*batchStreams || kept != n-taken {
		t.Errorf("%d streams were taken and %d kept", taken, kept)
	}
	if r.Open != 0 {
		t.Errorf("the newcomer has %d descriptors too many", r.Open)
	}
}

// TestAnotherUser lets a process of another user ask, past the modes of directory and socket.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as another user")
	}
	path := storePath(t)
	hub, _ := newHub(t, path, 3)
	_, ended := serve(t, hub, ListenOptions{})
	ask := func(want string) {
		t.Helper()
		var r report
		start(t, part{Role: "newcomer", Path: path}, nobody()).await("report", &r)
		if !strings.Contains(r.Error, want) {
			t.Errorf("the other user got %q, want %q", r.Error, want)
		}
	}
	enterable(t, path)
	ask("permission denied") // by the socket's mode
	if err := os.Chmod(socketPath(path), 0o666); err != nil {
		t.Fatal(err)
	}
	ask("runs as user 65534, this process as 0")
	if _, counts := takeOver(t, path); counts.Taken != 3 {
		t.Errorf("the next newcomer counts %+v", counts)
	}
	if s := ended(); s.err != nil {
		t.Error(s.err)
	}
	if got, want := hub.big(), "consider release opened streams given"; got != want {
		t.Errorf("the hub was told %q, want %q", got, want)
	}
}

// TestHolderIsAnotherUser asks a holder of another user, who may have put a socket where ours is expected.
func TestHolderIsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as another user")
	}
	path := storePath(t)
	if err := os.Chown(filepath.Dir(path), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	enterable(t, path)
	holder := start(t, part{Role: "holder", Path: path}, nobody())
	holder.await("ready", new(any))
	if _, err := askFor(t, path); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "runs as user 65534, this process as 0") {
		t.Errorf("Ask returned %v", err)
	}
}

func nobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// enterable lets other users enter the test's own directories above the path.
func enterable(t *testing.T, path string) {
	t.Helper()
	for dir := filepath.Dir(path); dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnotherContainer hands over to a process in its own network, mount, process and host name namespaces, as
// containers on one volume are. Both can tell that sockets must not be moved.
func TestAnotherContainer(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make namespaces")
	}
	path := storePath(t)
	hub, _ := newHub(t, path, 3)
	_, ended := serve(t, hub, ListenOptions{})
	container := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
	}
	var r report
	start(t, part{Role: "newcomer", Path: path}, container).await("report", &r)
	if r.Error != "" {
		t.Errorf("the newcomer reports %+v", r)
	}
	if s := ended(); s.err != nil || !s.HandedOver {
		t.Errorf("Serve returned %+v", s)
	}
	if peer := hub.proposal.Newcomer; peer.Network == "" || peer.SameNetwork(Self("1.0-test", since)) || peer.PID != 1 {
		t.Errorf("the newcomer is %+v", peer)
	}
}
