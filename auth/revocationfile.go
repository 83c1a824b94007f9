package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// revocationEntry is an entry of the table as it is stored. Fields are added, never changed.
type revocationEntry struct {
	Kind         string    `json:"kind"`
	Issuer       string    `json:"issuer,omitempty"`
	Value        string    `json:"value"`
	Until        time.Time `json:"until"`
	IssuedBefore time.Time `json:"issued_before,omitzero"`
}

// KeepRevocations reads the revocations in the file, if it is there, and writes each that comes to it before Revoke
// returns. It may be called again, to take what another process has written meanwhile.
//
// A file that cannot be read is an error rather than an empty table, which would let in whoever was locked out.
func (v *Verifier) KeepRevocations(file string) error {
	t := v.revocations
	t.saving.Lock()
	defer t.saving.Unlock()
	entries, err := readRevocations(file)
	if err == nil {
		err = t.take(entries, v.now())
	}
	if err != nil {
		return fmt.Errorf("reading the revocations in %s: %w", file, err)
	}
	t.file = file
	v.generation.Add(1)
	return nil
}

func readRevocations(file string) (map[revocationKey]refusal, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var stored []revocationEntry
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, err
	}
	entries := make(map[revocationKey]refusal, len(stored))
	for _, e := range stored {
		entries[revocationKey{e.Kind, e.Issuer, e.Value}] = refusal{e.Until, e.IssuedBefore}
	}
	return entries, nil
}

// save writes the table to its file, which is replaced whole: after a crash it is the old one or the new one.
func (t *revocations) save(now time.Time) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	if t.file == "" {
		return nil
	}
	text, err := json.Marshal(t.stored(now))
	if err == nil {
		err = replaceFile(t.file, text)
	}
	if err != nil {
		return fmt.Errorf("keeping the revocations in %s: %w", t.file, err)
	}
	return nil
}

func (t *revocations) stored(now time.Time) []revocationEntry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	stored := make([]revocationEntry, 0, len(t.entries))
	for key, entry := range t.entries {
		if now.Before(entry.until) {
			stored = append(stored, revocationEntry{key.kind, key.issuer, key.value, entry.until, entry.issuedBefore})
		}
	}
	return stored
}

// replaceFile writes the text to the file durably and at once. Others cannot read it: it names people.
func replaceFile(file string, text []byte) error {
	dir := filepath.Dir(file)
	fresh, err := os.CreateTemp(dir, filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = fresh.Write(text)
	err = errors.Join(err, fresh.Sync(), fresh.Close())
	if err == nil {
		err = os.Rename(fresh.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
