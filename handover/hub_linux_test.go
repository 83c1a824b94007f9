package handover

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must happen. It is no expectation of speed.
const patience = 60 * time.Second

// since is when every holder of a test took its store.
var since = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

// lock takes the lock of a store, and waits for it: that of a process which was killed lives a moment longer.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// locked reports whether a process has the lock.
func locked(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// fakeHub gives what a hub would: a locked store, listening sockets and streams.
type fakeHub struct {
	path    string
	store   *os.File
	terms   Terms
	streams []*fakeStream
	// at is called at each step, which it may block or fail.
	at func(step string) error

	steps    []string
	proposal Proposal
	// broken is the error of give, if there was one.
	broken error
}

// fakeStream is a stream of a fakeHub, with what became of it.
type fakeStream struct {
	fd      int
	state   []byte
	settled []bool
}

func newFakeHub(path string) (*fakeHub, error) {
	store, err := lock(path)
	return &fakeHub{path: path, store: store, at: func(string) error { return nil }}, err
}

func (h *fakeHub) step(name string) error {
	h.steps = append(h.steps, name)
	return h.at(name)
}

func (h *fakeHub) Consider(_ context.Context, p Proposal) (Terms, error) {
	if err := h.step("consider"); err != nil {
		return Terms{}, err
	}
	h.proposal = p
	terms := Terms{Streams: h.terms.Streams && p.Streams}
	for _, l := range h.terms.Listeners {
		if slices.Contains(p.Listeners, l.Address) {
			terms.Listeners = append(terms.Listeners, l)
		}
	}
	return terms, nil
}

func (h *fakeHub) Release(context.Context) error {
	if err := h.step("release"); err != nil {
		return err
	}
	return h.store.Close()
}

func (h *fakeHub) Resume(ctx context.Context) error {
	if err := errors.Join(h.step("resume"), ctx.Err()); err != nil {
		return err
	}
	_ = h.store.Close()
	var err error
	h.store, err = lock(h.path)
	return err
}

func (h *fakeHub) Opened() { _ = h.step("opened") }

func (h *fakeHub) Streams(_ context.Context, give Give) error {
	if err := h.step("streams"); err != nil {
		return err
	}
	for i, s := range h.streams {
		if err := h.step("give " + strconv.Itoa(i)); err != nil {
			return err
		}
		err := give(Stream{FD: s.fd, State: s.state}, func(taken bool) {
			s.settled = append(s.settled, taken)
			_ = unix.Close(s.fd)
		})
		if err != nil {
			h.broken = err
			return err
		}
	}
	return h.step("given")
}

// big tells the steps that are not one stream's.
func (h *fakeHub) big() string {
	return strings.Join(slices.DeleteFunc(slices.Clone(h.steps), func(s string) bool { return strings.HasPrefix(s, "give ") }), " ")
}

// settled counts the streams that were settled as taken and as not, and fails for one that was not
// settled exactly once although it was given.
func (h *fakeHub) settledCounts(t *testing.T) (taken, kept int) {
	t.Helper()
	for i, s := range h.streams {
		given := slices.Contains(h.steps, "give "+strconv.Itoa(i))
		switch {
		case given && len(s.settled) != 1, !given && len(s.settled) != 0:
			t.Fatalf("stream %d, given %t, was settled %v", i, given, s.settled)
		case given && s.settled[0]:
			taken++
		default:
			kept++
		}
	}
	return taken, kept
}

// stateOf makes the state of stream i: its number and some bytes, a few of them many.
func stateOf(i int) []byte {
	r := rand.New(rand.NewPCG(7, uint64(i)))
	size := 4 + r.IntN(600)
	if i%100 == 99 {
		size += 50_000
	}
	state := make([]byte, size)
	for at := range state {
		state[at] = byte(r.Uint32())
	}
	binary.BigEndian.PutUint32(state, uint32(i))
	return state
}

// numberOf returns the number in a state, or an error if the bytes are not those of stateOf.
func numberOf(state []byte) (int, error) {
	if len(state) < 4 {
		return 0, fmt.Errorf("a state has %d bytes", len(state))
	}
	i := int(binary.BigEndian.Uint32(state))
	if !bytes.Equal(state, stateOf(i)) {
		return 0, fmt.Errorf("the state of stream %d has arrived with other bytes", i)
	}
	return i, nil
}

// storePath returns the path of a store that does not exist yet.
func storePath(t testing.TB) string { return filepath.Join(t.TempDir(), "hub.db") }

// newHub returns a hub with n streams and the far ends of their connections.
func newHub(t testing.TB, path string, n int) (*fakeHub, []int) {
	t.Helper()
	h, err := newFakeHub(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.store.Close() })
	h.terms.Streams = true
	far := make([]int, n)
	for i := range n {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		h.streams = append(h.streams, &fakeStream{fd: pair[0], state: stateOf(i)})
		far[i] = pair[1]
	}
	t.Cleanup(func() {
		closeAll(far)
		for _, s := range h.streams {
			if len(s.settled) == 0 {
				_ = unix.Close(s.fd)
			}
		}
	})
	return h, far
}

// served is what Serve returned.
type served struct {
	Outcome
	err error
}

// serve runs a holder for the hub. The returned function waits for its end.
func serve(t testing.TB, hub *fakeHub, o ListenOptions) (*Holder, func() served) {
	t.Helper()
	o.Path, o.Identity = hub.path, Self("1.0-test", since)
	holder, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan served, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		outcome, err := holder.Serve(ctx, hub)
		ended <- served{outcome, err}
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return holder, func() served {
		t.Helper()
		select {
		case s := <-ended:
			return s
		case <-time.After(patience):
			t.Fatal("Serve did not return")
			return served{}
		}
	}
}

// askFor asks for the store as a newcomer that wants all there is.
func askFor(t testing.TB, path string, wanted ...Address) (*Session, error) {
	t.Helper()
	s, err := Ask(t.Context(), askOptions(path, wanted...))
	if err == nil {
		t.Cleanup(func() {
			s.Close()
			s.closeListeners()
		})
	}
	return s, err
}

func askOptions(path string, wanted ...Address) AskOptions {
	return AskOptions{Path: path, Proposal: Proposal{Newcomer: Self("1.1-test", since.Add(time.Hour)), Listeners: wanted, Streams: true}}
}

// takeOver carries a handover through and returns the streams by their number.
func takeOver(t testing.TB, path string) (map[int]int, Counts) {
	t.Helper()
	s, err := askFor(t, path)
	if err != nil {
		t.Fatal(err)
	}
	openStore(t, s, path)
	streams := make(map[int]int)
	counts, err := s.Streams(t.Context(), func(s Stream) bool { return keep(t, streams, s) })
	if err != nil {
		t.Fatal(err)
	}
	return streams, counts
}

func openStore(t testing.TB, s *Session, path string) {
	t.Helper()
	if err := s.AwaitReleased(t.Context()); err != nil {
		t.Fatal(err)
	}
	store, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := s.Opened(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// keep takes a stream and closes it at the end of the test.
func keep(t testing.TB, streams map[int]int, s Stream) bool {
	i, err := numberOf(s.State)
	if err != nil {
		t.Error(err)
		return false
	}
	streams[i] = s.FD
	t.Cleanup(func() { _ = unix.Close(s.FD) })
	return true
}

// listenTCP returns a listening socket to share.
func listenTCP(t testing.TB, name string) (Listener, *net.TCPListener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return Listener{Address: Address{Name: name, Address: l.Addr().String()}, Socket: l.(*net.TCPListener)}, l.(*net.TCPListener)
}
