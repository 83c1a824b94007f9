package handover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newHolder(t *testing.T, path string) (*Holder, error) {
	t.Helper()
	h, err := Listen(ListenOptions{Path: path, Identity: Self("1.0-test", since)})
	if err == nil {
		t.Cleanup(func() { _ = h.Close() })
	}
	return h, err
}

func TestSocketIsPrivateAndRemoved(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	h, err := newHolder(t, path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(socketPath(path))
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Fatalf("the socket has mode %v, %v", info.Mode(), err)
	}
	for range 2 {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestLongPath uses paths that do not fit an address of a socket: by the directory, and by the file's name.
func TestLongPath(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"directory": filepath.Join(strings.Repeat("d", 100), strings.Repeat("e", 100), "hub.db"),
		"file":      strings.Repeat("f", 240) + ".db",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			hub, _ := newHub(t, path, 3)
			_, ended := serve(t, hub, ListenOptions{})
			if _, counts := takeOver(t, path); counts.Taken != 3 {
				t.Errorf("the newcomer counts %+v", counts)
			}
			if s := ended(); s.err != nil {
				t.Error(s.err)
			}
			if _, err := Ask(t.Context(), askOptions(path)); !errors.Is(err, ErrNoHolder) {
				t.Errorf("after the handover Ask returned %v", err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	if _, err := Ask(t.Context(), askOptions(path)); !errors.Is(err, ErrNoHolder) {
		t.Errorf("without a socket Ask returned %v", err)
	}
	// As a process leaves it that is killed.
	stale, err := listenSocket(socketPath(path))
	if err != nil {
		t.Fatal(err)
	}
	_ = stale.Close()
	if _, err := Ask(t.Context(), askOptions(path)); !errors.Is(err, ErrNoHolder) {
		t.Errorf("with a stale socket Ask returned %v", err)
	}
	hub, _ := newHub(t, path, 3)
	_, ended := serve(t, hub, ListenOptions{})
	if _, counts := takeOver(t, path); counts.Taken != 3 {
		t.Errorf("the newcomer counts %+v", counts)
	}
	if s := ended(); s.err != nil {
		t.Error(s.err)
	}
}

func TestOnlySocketsAreReplaced(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	if err := os.WriteFile(socketPath(path), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newHolder(t, path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("Listen returned %v", err)
	}
	if text, err := os.ReadFile(socketPath(path)); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

// TestSocketOfTheNextHolderStays lets the newcomer become the holder while the old one still serves streams:
// the end of the old one does not take the new one's socket away.
func TestSocketOfTheNextHolderStays(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	hub, _ := newHub(t, path, 0)
	old, ended := serve(t, hub, ListenOptions{})
	s, err := askFor(t, path)
	if err != nil {
		t.Fatal(err)
	}
	openStore(t, s, path)
	if _, err := newHolder(t, path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Streams(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if s := ended(); s.err != nil {
		t.Error(s.err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socketPath(path)); err != nil {
		t.Errorf("the new holder's socket: %v", err)
	}
}

// TestSocketOfAnotherStays closes a holder whose socket was replaced without its doing.
func TestSocketOfAnotherStays(t *testing.T) {
	t.Parallel()
	path := storePath(t)
	first, err := newHolder(t, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newHolder(t, path); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socketPath(path)); err != nil {
		t.Errorf("the other's socket: %v", err)
	}
}

// TestCloseDuringHandover closes the holder at each step: the handover goes on to its end.
func TestCloseDuringHandover(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"consider", "release", "opened", "given"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			path := storePath(t)
			hub, _ := newHub(t, path, 3)
			var holder *Holder
			listening := make(chan struct{})
			hub.at = func(s string) error {
				<-listening
				if s == step {
					return holder.Close()
				}
				return nil
			}
			var ended func() served
			holder, ended = serve(t, hub, ListenOptions{})
			close(listening)
			if _, counts := takeOver(t, path); counts.Taken != 3 {
				t.Errorf("the newcomer counts %+v", counts)
			}
			if s := ended(); s.err != nil || !s.HandedOver {
				t.Errorf("Serve returned %+v", s)
			}
		})
	}
}
