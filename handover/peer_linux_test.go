package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// descriptorsOf fails the test if fn leaves descriptors open. The test that calls it must not be parallel.
func descriptorsOf(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	before, err := openDescriptors()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("case", fn)
	after, err := openDescriptors()
	if err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Errorf("%d descriptors were left open", after-before)
	}
}

// raw is a frame as no hub would send it.
func raw(k kind, descriptors int, payload string) []byte {
	return append(header{kind: k, descriptors: descriptors, length: len(payload)}.append(nil), payload...)
}

// sendWith sends bytes with n descriptors that are open nowhere else.
func sendWith(t *testing.T, conn *net.UnixConn, b []byte, n int) {
	t.Helper()
	var fds []int
	for range n {
		fds = append(fds, openNull(t))
	}
	sendDescriptors(t, conn, b, fds)
}

// sendDescriptors sends bytes with the descriptors and closes these.
func sendDescriptors(t *testing.T, conn *net.UnixConn, b []byte, fds []int) {
	t.Helper()
	defer closeAll(fds)
	var control []byte
	if len(fds) > 0 {
		control = rights(fds)
	}
	if _, _, err := conn.WriteMsgUnix(b, control, nil); err != nil {
		t.Error(err)
	}
}

func openNull(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// openListener returns a descriptor of a listening socket.
func openListener(t *testing.T) int {
	t.Helper()
	l, tcp := listenTCP(t, "public")
	fd, err := duplicate(l.Socket)
	if err != nil {
		t.Fatal(err)
	}
	_ = tcp.Close()
	return fd
}

func helloText(t *testing.T, change func(h *hello)) string {
	t.Helper()
	h := hello{Protocol: versions{1, 1}, Proposal: Proposal{Newcomer: Self("1.1-test", since)}}
	change(&h)
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestHolderBearsBrokenPeers sends a holder what is no hello. Each peer is refused, the hub hears nothing of it,
// no descriptor stays open, and the next newcomer is served.
func TestHolderBearsBrokenPeers(t *testing.T) {
	none := func(*hello) {}
	huge := raw(kindHello, 0, "")
	copy(huge[8:], "\xff\xff\xff\xff")
	for name, test := range map[string]struct {
		bytes       []byte
		descriptors int
		hangUp      bool
		want        string
	}{
		"hangs up at once":         {hangUp: true},
		"hangs up in the header":   {bytes: raw(kindHello, 0, "{}")[:5], hangUp: true},
		"hangs up in the payload":  {bytes: raw(kindHello, 0, "{}")[:headerLen+1], hangUp: true},
		"says nothing":             {want: "not done within"},
		"speaks HTTP":              {bytes: []byte("GET / HTTP/1.1\r\nHost: hub\r\n\r\n"), want: "frame begins"},
		"layout of another day":    {bytes: bytes.Replace(raw(kindHello, 0, "{}"), []byte(magic), []byte("HBD\x02"), 1), want: "frame begins"},
		"huge frame":               {bytes: huge, want: "4294967295 bytes, more than"},
		"a hello that is too long": {bytes: raw(kindHello, 0, strings.Repeat(" ", maxControl+1)), want: "more than"},
		"unknown kind":             {bytes: raw(99, 0, "{}"), want: "unknown"},
		"batch out of turn":        {bytes: raw(kindBatch, 0, "{}"), want: "out of turn"},
		"no JSON":                  {bytes: raw(kindHello, 0, "{"), want: "unexpected end"},
		"control characters":       {bytes: raw(kindHello, 0, helloText(t, func(h *hello) { h.Newcomer.Host = "\x1b[2J" })), want: "not printable"},
		"endless name": {bytes: raw(kindHello, 0, helloText(t, func(h *hello) { h.Newcomer.Version = strings.Repeat("v", maxText+1) })),
			want: "not printable"},
		"endless address": {bytes: raw(kindHello, 0, helloText(t, func(h *hello) { h.Listeners = []Address{{Address: strings.Repeat("1", maxText+1)}} })),
			want: "no printable name"},
		"descriptors in a hello":   {bytes: raw(kindHello, 0, helloText(t, none)), descriptors: 5, want: "5 descriptors of 0"},
		"announced descriptors":    {bytes: raw(kindHello, 5, helloText(t, none)), descriptors: 5, want: "hello with 5 descriptors"},
		"descriptors with garbage": {bytes: []byte("GET / HTTP/1.1"), descriptors: 200, want: "frame begins"},
	} {
		t.Run(name, func(t *testing.T) {
			descriptorsOf(t, func(t *testing.T) {
				path := storePath(t)
				hub, _ := newHub(t, path, 3)
				_, ended := serve(t, hub, ListenOptions{Timeouts: Timeouts{Answer: 300 * time.Millisecond}})
				conn, err := dialSocket(t.Context(), socketPath(path))
				if err != nil {
					t.Fatal(err)
				}
				l := newLink(conn)
				defer l.close()
				if len(test.bytes) > 0 {
					sendWith(t, conn, test.bytes, test.descriptors)
				}
				if test.hangUp {
					l.close()
				} else if _, err := l.expect(t.Context(), patience, kindWelcome); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the peer was told %v, want %q", err, test.want)
				}
				if streams, _ := takeOver(t, path); len(streams) != 3 {
					t.Errorf("the next newcomer has %d streams", len(streams))
				}
				if s := ended(); s.err != nil {
					t.Error(s.err)
				}
				if got, want := hub.big(), "consider release opened streams given"; got != want {
					t.Errorf("the hub was told %q, want %q", got, want)
				}
			})
		})
	}
}

// TestGreetingsAreBounded connects peers that say nothing. Past the bound one more is turned away at once, and
// when they have gone a newcomer is served.
func TestGreetingsAreBounded(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	hub, _ := newHub(t, path, 3)
	_, ended := serve(t, hub, ListenOptions{Timeouts: Timeouts{Answer: patience}})
	silent := make([]*net.UnixConn, maxGreetings)
	dial := func() *net.UnixConn {
		conn, err := dialSocket(t.Context(), socketPath(path))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	for i := range silent {
		silent[i] = dial()
	}
	if n, err := dial().Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("one too many read %d bytes, %v", n, err)
	}
	for _, conn := range silent {
		_ = conn.Close()
	}
	deadline := time.Now().Add(patience)
	for {
		s, err := Ask(t.Context(), askOptions(path))
		if err == nil {
			finish(t, s, path)
			break
		}
		if time.Now().After(deadline) { // the holder has not seen yet that they have gone
			t.Fatal(err)
		}
	}
	if s := ended(); s.err != nil {
		t.Error(s.err)
	}
}

// TestDescriptorsWithinPayload sends descriptors with a byte of a payload, where they cannot be due.
func TestDescriptorsWithinPayload(t *testing.T) {
	descriptorsOf(t, func(t *testing.T) {
		path := storePath(t)
		hub, _ := newHub(t, path, 0)
		serve(t, hub, ListenOptions{})
		conn, err := dialSocket(t.Context(), socketPath(path))
		if err != nil {
			t.Fatal(err)
		}
		l := newLink(conn)
		defer l.close()
		b := raw(kindHello, 0, helloText(t, func(*hello) {}))
		sendWith(t, conn, b[:headerLen], 0)
		sendWith(t, conn, b[headerLen:], 3)
		if _, err := l.expect(t.Context(), patience, kindWelcome); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "within a payload") {
			t.Errorf("the peer was told %v", err)
		}
	})
}

// TestNewcomerBearsBrokenHolders answers a newcomer with what no holder would. It gets an error from the
// method where that happens, and no descriptor stays open.
func TestNewcomerBearsBrokenHolders(t *testing.T) {
	welcomed := raw(kindWelcome, 0, `{"protocol":1,"streams":true,"holder":{"pid":1},"later":"field"}`)
	sharing := raw(kindWelcome, 0, `{"protocol":1,"listeners":2}`)
	released := raw(kindReleased, 0, "{}")
	for name, test := range map[string]struct {
		answers     [][]byte
		descriptors int // sent with the last answer
		want        error
		text        string
	}{
		"hangs up":                   {want: io.EOF},
		"speaks SSH":                 {answers: [][]byte{[]byte("SSH-2.0-OpenSSH_9.9\r\n")}, want: ErrProtocol, text: "frame begins"},
		"huge frame":                 {answers: [][]byte{[]byte(magic + "\x02\x00\x00\x00\xff\xff\xff\xff")}, want: ErrProtocol, text: "more than"},
		"version not offered":        {answers: [][]byte{raw(kindWelcome, 0, `{"protocol":2}`)}, want: ErrProtocol, text: "version 2"},
		"holder without a text":      {answers: [][]byte{raw(kindWelcome, 0, `{"protocol":1,"holder":{"host":"\u0007"}}`)}, want: ErrProtocol, text: "not printable"},
		"refusal without JSON":       {answers: [][]byte{raw(kindRefusal, 0, "no")}, want: ErrProtocol},
		"endless refusal":            {answers: [][]byte{raw(kindRefusal, 0, `{"reason":"`+strings.Repeat("a", maxControl-20)+`"}`)}, want: ErrRefused},
		"released before the time":   {answers: [][]byte{released}, want: ErrProtocol, text: "out of turn"},
		"no sockets":                 {answers: [][]byte{sharing, raw(kindListeners, 0, `{"listeners":[]}`)}, want: ErrProtocol, text: "0 sent, 2 announced"},
		"a socket without a name":    {answers: [][]byte{sharing, raw(kindListeners, 2, `{"listeners":[{}]}`)}, descriptors: 2, want: ErrProtocol, text: "1 listening"},
		"fewer sockets than stated":  {answers: [][]byte{sharing, raw(kindListeners, 2, `{"listeners":[{},{}]}`)}, descriptors: 1, want: ErrProtocol, text: "1 descriptors of 2"},
		"sockets that are none":      {answers: [][]byte{sharing, raw(kindListeners, 2, `{"listeners":[{},{}]}`)}, descriptors: 2, text: "adopting"},
		"hangs up before release":    {answers: [][]byte{welcomed}, want: io.EOF},
		"hangs up after release":     {answers: [][]byte{welcomed, released}, want: io.EOF},
		"batch before release":       {answers: [][]byte{welcomed, raw(kindBatch, 1, "")}, descriptors: 1, want: ErrProtocol, text: "out of turn"},
		"empty batch":                {answers: [][]byte{welcomed, released, raw(kindBatch, 0, "")}, want: ErrProtocol},
		"batch without descriptors":  {answers: [][]byte{welcomed, released, raw(kindBatch, 0, "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00")}, want: ErrProtocol},
		"batch with two descriptors": {answers: [][]byte{welcomed, released, raw(kindBatch, 2, "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00")}, descriptors: 2, want: ErrProtocol},
		"batch with a long state":    {answers: [][]byte{welcomed, released, raw(kindBatch, 1, "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01")}, descriptors: 1, want: ErrProtocol},
		"batch that is cut off":      {answers: [][]byte{welcomed, released, raw(kindBatch, 1, "\x00\x00\x00\x00\x00\x01")[:headerLen+2]}, descriptors: 1, want: io.ErrUnexpectedEOF},
		"accounts differ":            {answers: [][]byte{welcomed, released, raw(kindDone, 0, `{"streams":{"taken":1}}`)}, want: ErrProtocol, text: "counts 1"},
	} {
		t.Run(name, func(t *testing.T) {
			descriptorsOf(t, func(t *testing.T) {
				path := storePath(t)
				l, err := listenSocket(socketPath(path))
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					answerRaw(t, l, test.answers, test.descriptors)
				}()
				err = newcomerOf(t, path, make(map[int]int))
				<-done
				if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("the newcomer got %v, want %v, %q", err, test.want, test.text)
				}
				if len(err.Error()) > 1000 {
					t.Errorf("the error has %d bytes", len(err.Error()))
				}
			})
		})
	}
}

// answerRaw plays a holder that reads a hello and then sends what it is given, one write each, and hangs up.
func answerRaw(t *testing.T, l *net.UnixListener, answers [][]byte, descriptors int) {
	defer func() { _ = l.Close() }()
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Error(err)
		return
	}
	peer := newLink(conn)
	defer peer.close()
	if _, err := peer.expect(t.Context(), patience, kindHello); err != nil {
		t.Error(err)
	}
	for i, b := range answers {
		n := 0
		if i == len(answers)-1 {
			n = descriptors
		}
		sendWith(t, conn, b, n)
	}
	// Until the newcomer has said all it wants to, so that its writes work.
	if len(answers) > 1 && bytes.Equal(answers[1], raw(kindReleased, 0, "{}")) {
		_, _ = peer.expect(t.Context(), patience, kindOpened)
	}
}

// TestSecondSocketIsNone shares a good socket and then what cannot listen: the good one is closed again.
func TestSecondSocketIsNone(t *testing.T) {
	descriptorsOf(t, func(t *testing.T) {
		path := storePath(t)
		l, err := listenSocket(socketPath(path))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = l.Close() }()
			conn, err := l.AcceptUnix()
			if err != nil {
				t.Error(err)
				return
			}
			peer := newLink(conn)
			defer peer.close()
			if _, err := peer.expect(t.Context(), patience, kindHello); err != nil {
				t.Error(err)
			}
			sendWith(t, conn, raw(kindWelcome, 0, `{"protocol":1,"listeners":2}`), 0)
			sendDescriptors(t, conn, raw(kindListeners, 2, `{"listeners":[{},{}]}`), []int{openListener(t), openNull(t)})
		}()
		if _, err := askFor(t, path); err == nil || !strings.Contains(err.Error(), "adopting") {
			t.Errorf("the newcomer got %v", err)
		}
		<-done
	})
}

// TestReasonOfAHolderThatHungUp lets the holder refuse and hang up before it has heard a word.
func TestReasonOfAHolderThatHungUp(t *testing.T) {
	t.Parallel()
	near, far := connected(t)
	if err := far.send(t.Context(), patience, kindRefusal, refusal{Reason: "not today"}); err != nil {
		t.Fatal(err)
	}
	far.close()
	s := &Session{link: near, timeouts: Timeouts{Answer: patience}}
	if err := s.greet(t.Context(), askOptions("hub.db")); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not today") {
		t.Errorf("the newcomer got %v", err)
	}
}

// TestLostDescriptors leaves too little room for the descriptors that come, as too many open files do.
func TestLostDescriptors(t *testing.T) {
	for _, k := range []kind{kindListeners, kindBatch} {
		descriptorsOf(t, func(t *testing.T) {
			near, far := connected(t)
			near.control = make([]byte, controlSpace(2))
			sendWith(t, far.conn, raw(k, 4, "{}"), 4)
			f, err := near.expect(t.Context(), patience, k)
			switch k {
			case kindListeners:
				if err == nil || !strings.Contains(err.Error(), "too many open files") {
					t.Errorf("%s: %v", k, err)
				}
			case kindBatch:
				if err != nil || !f.truncated || len(f.descriptors) != 2 {
					t.Errorf("%s: %+v, %v", k, f, err)
				}
				closeAll(f.descriptors)
			}
		})
	}
}

// connected returns the two ends of a connection.
func connected(t testing.TB) (near, far *link) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	var links [2]*link
	for i, fd := range pair {
		file := os.NewFile(uintptr(fd), "link")
		conn, err := net.FileConn(file)
		_ = file.Close()
		if err != nil {
			t.Fatal(err)
		}
		links[i] = newLink(conn.(*net.UnixConn))
		t.Cleanup(links[i].close)
	}
	return links[0], links[1]
}

// TestHandoverLeaksNothing repeats what TestHandover and the tests beside it do, and counts.
func TestHandoverLeaksNothing(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, hub *fakeHub, s *Session){
		"complete": func(t *testing.T, hub *fakeHub, s *Session) {
			finish(t, s, hub.path)
		},
		"all refused": func(t *testing.T, hub *fakeHub, s *Session) {
			openStore(t, s, hub.path)
			if _, err := s.Streams(t.Context(), func(Stream) bool { return false }); err != nil {
				t.Error(err)
			}
		},
		"newcomer hangs up with streams under way": func(t *testing.T, hub *fakeHub, s *Session) {
			openStore(t, s, hub.path)
			streams, n := make(map[int]int), 0
			_, err := s.Streams(t.Context(), func(stream Stream) bool {
				if n++; n == 200 {
					s.Close()
				}
				return keep(t, streams, stream)
			})
			if !errors.Is(err, net.ErrClosed) || len(streams) != 2*batchStreams {
				t.Errorf("%d streams, error %v", len(streams), err)
			}
		},
		"newcomer hangs up before": func(_ *testing.T, _ *fakeHub, s *Session) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			descriptorsOf(t, func(t *testing.T) {
				path := storePath(t)
				hub, _ := newHub(t, path, 1000)
				public, _ := listenTCP(t, "public")
				hub.terms.Listeners = []Listener{public}
				serve(t, hub, ListenOptions{})
				s, err := askFor(t, path, public.Address)
				if err != nil {
					t.Fatal(err)
				}
				test(t, hub, s)
			})
		})
	}
}

func TestSessionMethodsOutOfTurn(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	hub, _ := newHub(t, path, 0)
	_, ended := serve(t, hub, ListenOptions{})
	s, err := askFor(t, path)
	if err != nil {
		t.Fatal(err)
	}
	wrong := func(calls ...func() error) {
		t.Helper()
		for i, call := range calls {
			if err := call(); !errors.Is(err, errTurn) {
				t.Errorf("call %d returned %v", i, err)
			}
		}
	}
	await := func() error { return s.AwaitReleased(t.Context()) }
	opened := func() error { return s.Opened(t.Context()) }
	failed := func() error { return s.Failed(t.Context(), os.ErrInvalid) }
	streams := func() error { _, err := s.Streams(t.Context(), nil); return err }
	wrong(opened, failed, streams)
	if err := await(); err != nil {
		t.Fatal(err)
	}
	wrong(await, streams)
	if err := opened(); err != nil {
		t.Fatal(err)
	}
	wrong(await, opened, failed)
	if err := streams(); err != nil {
		t.Fatal(err)
	}
	wrong(await, opened, failed, streams)
	if s := ended(); s.err != nil {
		t.Error(s.err)
	}
}
