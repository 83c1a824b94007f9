package handover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSidecar(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "hub.db")
	if _, err := ReadHolder(store); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with no sidecar: %v", err)
	}
	first := Self("1.0", time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC))
	second := Identity{Version: "1.1", PID: 7, Host: "b", Since: first.Since.Add(time.Hour)}
	for _, holder := range []Identity{first, second} {
		if err := WriteHolder(store, holder); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadHolder(store); err != nil || got != holder {
			t.Errorf("read %v, want %v, error %v", got, holder, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(store))
	if err != nil || len(entries) != 1 || entries[0].Name() != "hub.db.holder" {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	for range 2 {
		if err := RemoveHolder(store); err != nil {
			t.Error(err)
		}
	}
	if _, err := ReadHolder(store); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the removal: %v", err)
	}
}

// TestSidecarIsNeverHalf reads while others write: what is read is always one whole identity.
func TestSidecarIsNeverHalf(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "hub.db")
	write := func(pid int) error {
		return WriteHolder(store, Identity{PID: pid, Version: strings.Repeat("v", pid)})
	}
	if err := write(1); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		var err error
		for i := range 200 {
			err = errors.Join(err, write(1+i))
		}
		done <- err
	}()
	for {
		got, err := ReadHolder(store)
		if err != nil || len(got.Version) != got.PID {
			t.Errorf("read %v, %v", got, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

func TestBadSidecar(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":              "",
		"half":               `{"pid":`,
		"another type":       `{"pid":"one"}`,
		"control characters": `{"pid":1,"host":"\u001b[2J"}`,
		"endless":            strings.Repeat(" ", 1<<20) + `{"pid":1}`,
		"negative":           `{"pid":-1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := filepath.Join(t.TempDir(), "hub.db")
			if err := os.WriteFile(sidecarPath(store), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := ReadHolder(store); err == nil || got != (Identity{}) {
				t.Errorf("read %v, %v", got, err)
			}
		})
	}
	store := filepath.Join(t.TempDir(), "hub.db")
	if err := os.Mkdir(sidecarPath(store), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHolder(store); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("of a directory: %v", err)
	}
	if err := WriteHolder(filepath.Join(store, "none", "hub.db"), Identity{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
}

func TestSameNetwork(t *testing.T) {
	t.Parallel()
	a, b := Identity{Network: "net:[1]"}, Identity{Network: "net:[2]"}
	if !a.SameNetwork(a) || a.SameNetwork(b) || (Identity{}).SameNetwork(Identity{}) {
		t.Error("namespaces are the same if both are known and equal")
	}
}

func FuzzParseHolder(f *testing.F) {
	f.Add([]byte(`{"pid":1,"host":"a","version":"1","since":"2026-11-22T09:30:00Z"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if holder, err := parseHolder(text); err == nil && strings.ContainsFunc(holder.String(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q has control characters", holder.String())
		}
	})
}
