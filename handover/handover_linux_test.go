package handover

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestHandover(t *testing.T) {
	t.Parallel()
	const n = 300
	path := storePath(t)
	hub, far := newHub(t, path, n)
	_, ended := serve(t, hub, ListenOptions{})

	streams, counts := takeOver(t, path)
	if counts != (Counts{Taken: n}) || len(streams) != n {
		t.Fatalf("the newcomer counts %+v and has %d streams", counts, len(streams))
	}
	if s := ended(); s.err != nil || !s.HandedOver || s.Outcome.Streams != (Counts{Taken: n}) {
		t.Fatalf("Serve returned %+v", s)
	}
	if got, want := hub.big(), "consider release opened streams given"; got != want {
		t.Errorf("the hub was told %q, want %q", got, want)
	}
	if taken, kept := hub.settledCounts(t); taken != n || kept != 0 {
		t.Errorf("%d streams were settled as taken, %d were kept", taken, kept)
	}
	for i, fd := range streams {
		roundTrip(t, fd, far[i])
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Fatalf("the descriptor of stream %d is inherited by children: flags %d, error %v", i, flags, err)
		}
	}
}

// roundTrip checks that what is written to one descriptor is read from the other.
func roundTrip(t *testing.T, from, to int) {
	t.Helper()
	if _, err := unix.Write(from, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	var b [32]byte
	n, err := unix.Read(to, b[:])
	if err != nil || string(b[:n]) != "still here" {
		t.Fatalf("read %q, %v", b[:max(n, 0)], err)
	}
}

func TestHandoverIntroducesBoth(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	hub, _ := newHub(t, path, 0)
	hub.terms.Streams = false
	_, ended := serve(t, hub, ListenOptions{})
	s, err := askFor(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if s.MovesStreams() || len(s.Listeners()) != 0 || s.Holder() != Self("1.0-test", since) {
		t.Errorf("the holder is %v, moves streams %t, shares %v", s.Holder(), s.MovesStreams(), s.Listeners())
	}
	openStore(t, s, path)
	if counts, err := s.Streams(t.Context(), nil); err != nil || counts != (Counts{}) {
		t.Errorf("no streams: %+v, %v", counts, err)
	}
	if s := ended(); s.err != nil || !s.HandedOver {
		t.Errorf("Serve returned %+v", s)
	}
	if got, want := hub.big(), "consider release opened"; got != want {
		t.Errorf("the hub was told %q, want %q", got, want)
	}
}

func TestListenersAreShared(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	hub, _ := newHub(t, path, 0)
	public, publicTCP := listenTCP(t, "public")
	admin, adminTCP := listenTCP(t, "admin")
	hub.terms.Listeners = []Listener{public, admin}
	serve(t, hub, ListenOptions{})
	s, err := askFor(t, path, admin.Address, Address{Name: "other", Address: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Listeners()
	if len(got) != 1 || got[0].Address != admin.Address || got[0].Listener.Addr().String() != admin.Address.Address {
		t.Fatalf("shared %v, want the admin socket", got)
	}
	if _, ok := got[0].Listener.(*net.TCPListener); !ok {
		t.Errorf("the listener is a %T", got[0].Listener)
	}
	// Both have the socket until the holder closes its copy; its descriptor still does not block.
	if flags := statusFlags(t, adminTCP); flags&unix.O_NONBLOCK == 0 {
		t.Error("sharing has made the holder's socket blocking")
	}
	_ = adminTCP.Close()
	client, err := net.Dial("tcp", admin.Address.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	conn, err := got[0].Listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection was answered with %v", err)
	}
	_ = publicTCP.Close()
}

func statusFlags(t *testing.T, l *net.TCPListener) (flags int) {
	t.Helper()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestRefusedStreamsStayWithTheHolder(t *testing.T) {
	t.Parallel()
	const n = 300
	path := storePath(t)
	hub, far := newHub(t, path, n)
	hub.streams[7].state = make([]byte, MaxState+1)
	hub.streams[8].state = append(stateOf(8)[:4:4], make([]byte, MaxState-4)...)
	_, ended := serve(t, hub, ListenOptions{})
	s, err := askFor(t, path)
	if err != nil {
		t.Fatal(err)
	}
	openStore(t, s, path)
	streams := make(map[int]int)
	counts, err := s.Streams(t.Context(), func(s Stream) bool {
		if len(s.State) == MaxState {
			t.Cleanup(func() { _ = unix.Close(s.FD) })
			return true
		}
		i, err := numberOf(s.State)
		if err != nil {
			t.Error(err)
		}
		return i%3 != 0 && keep(t, streams, s)
	})
	want := Counts{Taken: n - n/3 - 1, Refused: n/3 + 1}
	if err != nil || counts != want {
		t.Fatalf("the newcomer counts %+v, want %+v; error %v", counts, want, err)
	}
	if s := ended(); s.err != nil || s.Outcome.Streams != want {
		t.Errorf("Serve returned %+v", s)
	}
	for i, s := range hub.streams {
		if want := i%3 != 0 && i != 7; len(s.settled) != 1 || s.settled[0] != want {
			t.Fatalf("stream %d was settled %v, want %t", i, s.settled, want)
		}
	}
	// The newcomer has closed its copies of what it refused, and the hub ended them.
	if n, err := unix.Read(far[0], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("a refused stream is still open: read %d, %v", n, err)
	}
}

func TestHolderGoesOn(t *testing.T) {
	t.Parallel()
	gone := errors.New("no such luck")
	for name, test := range map[string]struct {
		at     func(step string) error
		during func(t *testing.T, s *Session)
		// told is what the hub was told of this newcomer.
		told string
	}{
		"newcomer hangs up before the release": {
			during: func(_ *testing.T, s *Session) { s.Close() },
			told:   "consider release resume",
		},
		"newcomer hangs up after the release": {
			during: func(t *testing.T, s *Session) {
				if err := s.AwaitReleased(t.Context()); err != nil {
					t.Error(err)
				}
				s.Close()
			},
			told: "consider release resume",
		},
		"newcomer cannot open the store": {
			during: func(t *testing.T, s *Session) {
				if err := errors.Join(s.AwaitReleased(t.Context()), s.Failed(t.Context(), gone)); err != nil {
					t.Error(err)
				}
			},
			told: "consider release resume",
		},
		"newcomer falls silent": {
			during: func(t *testing.T, s *Session) {
				if err := s.AwaitReleased(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := s.link.expect(t.Context(), patience, kindDone); !errors.Is(err, ErrRefused) {
					t.Errorf("the holder did not give up: %v", err)
				}
			},
			told: "consider release resume",
		},
		"newcomer breaks the protocol": {
			during: func(t *testing.T, s *Session) {
				if err := s.link.send(t.Context(), patience, kindConfirmed, struct{}{}); err != nil {
					t.Error(err)
				}
			},
			told: "consider release resume",
		},
		"holder cannot release": {
			at: failAt("release", gone),
			during: func(t *testing.T, s *Session) {
				if err := s.AwaitReleased(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), gone.Error()) {
					t.Errorf("the newcomer was told %v", err)
				}
			},
			told: "consider release resume",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			hub, _ := newHub(t, path, 3)
			if test.at != nil {
				hub.at = test.at
			}
			_, ended := serve(t, hub, ListenOptions{Timeouts: Timeouts{Open: 200 * time.Millisecond}})
			s, err := askFor(t, path)
			if err != nil {
				t.Fatal(err)
			}
			test.during(t, s)
			if _, counts := takeOverLater(t, path); counts.Taken != 3 {
				t.Errorf("the next newcomer has %+v", counts)
			}
			if s := ended(); s.err != nil || !s.HandedOver {
				t.Errorf("Serve returned %+v", s)
			}
			if got, want := hub.big(), test.told+" consider release opened streams given"; got != want {
				t.Errorf("the hub was told %q, want %q", got, want)
			}
		})
	}
}

// failAt fails the step with the error, the first time.
func failAt(step string, err error) func(string) error {
	return func(s string) error {
		if s != step || err == nil {
			return nil
		}
		defer func() { err = nil }()
		return err
	}
}

// takeOverLater is takeOver by a newcomer that asks again while the holder is busy.
func takeOverLater(t *testing.T, path string) (map[int]int, Counts) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		s, err := Ask(t.Context(), askOptions(path))
		if err == nil {
			return finish(t, s, path)
		}
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "another newcomer") || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func finish(t *testing.T, s *Session, path string) (map[int]int, Counts) {
	t.Helper()
	openStore(t, s, path)
	streams := make(map[int]int)
	counts, err := s.Streams(t.Context(), func(s Stream) bool { return keep(t, streams, s) })
	if err != nil {
		t.Fatal(err)
	}
	return streams, counts
}

func TestHolderWithoutStoreGivesUp(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	hub, _ := newHub(t, path, 0)
	gone := errors.New("the disk is gone")
	hub.at = failAt("resume", gone)
	_, ended := serve(t, hub, ListenOptions{})
	s, err := askFor(t, path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s := ended(); !errors.Is(s.err, ErrNotResumed) || !errors.Is(s.err, gone) || s.HandedOver {
		t.Errorf("Serve returned %+v", s)
	}
}

func TestSecondNewcomerIsRefused(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	hub, _ := newHub(t, path, 3)
	_, ended := serve(t, hub, ListenOptions{})
	first, err := askFor(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := askFor(t, path); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "another newcomer") {
		t.Errorf("the second newcomer got %v", err)
	}
	if _, counts := finish(t, first, path); counts.Taken != 3 {
		t.Errorf("the first newcomer has %+v", counts)
	}
	if s := ended(); s.err != nil {
		t.Error(s.err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		holder   versions
		newcomer versions
		at       func(string) error
		want     string
	}{
		"holder too old":     {holder: versions{1, 2}, newcomer: versions{3, 4}, want: "no common protocol version"},
		"holder too new":     {holder: versions{5, 6}, newcomer: versions{3, 4}, want: "no common protocol version"},
		"version zero":       {holder: versions{1, 1}, newcomer: versions{-1, 0}, want: "no common protocol version"},
		"holder is stopping": {at: failAt("consider", errors.New("this hub is stopping")), want: "this hub is stopping"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			hub, _ := newHub(t, path, 0)
			if test.at != nil {
				hub.at = test.at
			}
			holder, ended := serve(t, hub, ListenOptions{protocol: test.holder})
			ask := askOptions(path)
			ask.protocol = test.newcomer
			if _, err := Ask(t.Context(), ask); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Ask returned %v, want %q", err, test.want)
			}
			if err := holder.Close(); err != nil {
				t.Error(err)
			}
			if s := ended(); s.err != nil || s.HandedOver {
				t.Errorf("Serve returned %+v", s)
			}
			if strings.Contains(hub.big(), "release") {
				t.Errorf("the hub was told %q", hub.big())
			}
		})
	}
}

func TestCommonVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b versions
		want int
		ok   bool
	}{
		{versions{1, 3}, versions{2, 5}, 3, true},
		{versions{1, 3}, versions{3, 3}, 3, true},
		{versions{1, 1}, versions{2, 2}, 1, false},
		{versions{-5, 0}, versions{-5, 0}, 0, false},
		{versions{3, 1}, versions{1, 3}, 1, false},
	} {
		for _, pair := range [][2]versions{{test.a, test.b}, {test.b, test.a}} {
			if got, ok := pair[0].common(pair[1]); ok != test.ok || ok && got != test.want {
				t.Errorf("common version of %v and %v: %d, %t", pair[0], pair[1], got, ok)
			}
		}
	}
}

func TestContextEndsServe(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"idle", "release", "give 200"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			hub, _ := newHub(t, path, 300)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			asked := errors.New("asked to stop")
			hub.at = func(s string) error {
				if s == step {
					cancel(asked)
				}
				return nil
			}
			holder, err := Listen(ListenOptions{Path: path, Identity: Self("1.0-test", since)})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan served, 1)
			go func() {
				outcome, err := holder.Serve(ctx, hub)
				ended <- served{outcome, err}
			}()
			if step == "idle" {
				cancel(asked)
			} else {
				s, err := askFor(t, path)
				if err != nil {
					t.Fatal(err)
				}
				if step != "release" {
					openStore(t, s, path)
					streams := make(map[int]int)
					if _, err := s.Streams(t.Context(), func(s Stream) bool { return keep(t, streams, s) }); err == nil {
						t.Error("the newcomer saw nothing of the break")
					}
				}
			}
			s := <-ended
			late := step == "give 200"
			if !errors.Is(s.err, asked) || s.HandedOver != late {
				t.Fatalf("Serve returned %+v", s)
			}
			if _, err := os.Lstat(socketPath(path)); errors.Is(err, os.ErrNotExist) == late {
				t.Errorf("the socket's file: %v", err)
			}
			if !late && !locked(t, path) {
				t.Error("the hub has no store")
			}
			hub.settledCounts(t)
		})
	}
}

func TestContextEndsNewcomer(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	if _, err := Listen(ListenOptions{}); err == nil {
		t.Error("a holder without a path")
	}
	holder, err := Listen(ListenOptions{Path: path, Identity: Self("1.0-test", since)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close() }()
	// Nobody serves yet: the newcomer waits in Ask.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, askOptions(path)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ask returned %v", err)
	}
	o := askOptions(path)
	o.Timeouts.Answer = 50 * time.Millisecond
	if _, err := Ask(t.Context(), o); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Ask returned %v", err)
	}
}

// TestSilence stops one side without closing its connection, as a process does that is stopped or starved.
// The other side waits no longer than its time-outs.
func TestSilence(t *testing.T) {
	t.Parallel()
	short := Timeouts{Answer: 100 * time.Millisecond, Release: 100 * time.Millisecond}
	t.Run("newcomer while streams are under way", func(t *testing.T) {
		t.Parallel()
		path := storePath(t)
		hub, _ := newHub(t, path, 1000)
		for _, s := range hub.streams {
			s.state = s.state[:4] // a window of batches fits the socket
		}
		_, ended := serve(t, hub, ListenOptions{Timeouts: short})
		s, err := askFor(t, path)
		if err != nil {
			t.Fatal(err)
		}
		openStore(t, s, path)
		got := ended()
		if !errors.Is(got.err, os.ErrDeadlineExceeded) || !got.HandedOver || got.Outcome.Streams.Unknown != window*batchStreams {
			t.Errorf("Serve returned %+v", got)
		}
		if lost, kept := hub.settledCounts(t); lost != window*batchStreams || kept != 1000-lost {
			t.Errorf("%d streams were settled as taken, %d were kept", lost, kept)
		}
	})
	for _, step := range []string{"release", "streams"} {
		t.Run("holder at "+step, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			hub, _ := newHub(t, path, 3)
			silence := make(chan struct{})
			hub.at = func(s string) error {
				if s == step {
					<-silence
				}
				return nil
			}
			_, ended := serve(t, hub, ListenOptions{})
			o := askOptions(path)
			o.Timeouts = short
			s, err := Ask(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if step == "release" {
				err = s.AwaitReleased(t.Context())
			} else {
				openStore(t, s, path)
				_, err = s.Streams(t.Context(), nil)
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the newcomer got %v", err)
			}
			// The holder comes back to find that the newcomer has gone.
			close(silence)
			if step == "release" {
				_, _ = takeOverLater(t, path)
			}
			if s := ended(); !s.HandedOver || (s.err == nil) != (step == "release") {
				t.Errorf("Serve returned %+v", s)
			}
		})
	}
}
