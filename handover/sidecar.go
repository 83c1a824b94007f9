package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The sidecar is a small file beside the store that says who holds it, for a hub that waits in another
// container and cannot see the holder's process. It says nothing about whether the store is held:
// only the lock does, and after a crash the file is left behind.

const sidecarMode = 0o644

func sidecarPath(store string) string { return store + ".holder" }

// WriteHolder says beside the store at the path who holds it. Call it when the lock was taken. A reader sees the
// file before or after, never half of it.
func WriteHolder(store string, holder Identity) error {
	text, err := json.Marshal(holder)
	if err != nil {
		return fmt.Errorf("writing who holds the store: %w", err)
	}
	path := sidecarPath(store)
	f, err := os.CreateTemp(filepath.Dir(path), ".hubd-*.holder")
	if err != nil {
		return fmt.Errorf("writing who holds the store: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Chmod(sidecarMode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing who holds the store: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// ReadHolder returns what the last holder of the store at the path wrote. The error wraps fs.ErrNotExist if
// there is nothing.
func ReadHolder(store string) (Identity, error) {
	holder, err := readHolder(sidecarPath(store))
	if err != nil {
		return Identity{}, fmt.Errorf("reading who holds the store: %w", err)
	}
	return holder, nil
}

func readHolder(path string) (holder Identity, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return holder, err
	}
	if !info.Mode().IsRegular() {
		return holder, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return holder, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxControl))
	if err != nil {
		return holder, err
	}
	return parseHolder(text)
}

func parseHolder(text []byte) (holder Identity, err error) {
	if err := json.Unmarshal(text, &holder); err != nil {
		return Identity{}, err
	}
	if err := holder.check(); err != nil {
		return Identity{}, err
	}
	return holder, nil
}

// RemoveHolder removes what WriteHolder wrote. Call it while the lock is still held, and not in a handover:
// the next holder writes its own over it.
func RemoveHolder(store string) error {
	if err := os.Remove(sidecarPath(store)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing who held the store: %w", err)
	}
	return nil
}
