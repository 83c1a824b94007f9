package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hubd/persistence"
)

// FuzzInspect changes a file of a few pages anywhere. It is either found to be unsound, or found to have
// the records that it has.
func FuzzInspect(f *testing.F) {
	path := filepath.Join(f.TempDir(), "hub.db")
	l, err := Open(Options{Path: path, noSync: true})
	if err != nil {
		f.Fatal(err)
	}
	appendIDs(f, l, slices.Repeat([]string{"", "mine", "a longer one of mine"}, 60)...)
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	m, err := readMeta(bytes.NewReader(whole))
	if err != nil {
		f.Fatal(err)
	}
	whole = whole[:m.pages*uint64(m.pageSize)]
	for page := range m.pages {
		f.Add(uint32(page)*m.pageSize+8, []byte{leafPage, 0, 0xff, 0xff})
		f.Add(uint32(page)*m.pageSize+pageHeaderLen, []byte("\x01\x00\x00\x00\x10\x00\x00\x00"))
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		b := bytes.Clone(whole)
		if int(at) >= len(b) {
			return
		}
		copy(b[at:], patch)
		m, err := readMeta(bytes.NewReader(b))
		if err != nil || m.pages > uint64(len(b))/uint64(m.pageSize) {
			return
		}
		c, err := inspect(bytes.NewReader(b), m)
		switch {
		case err == nil && (c.fresh || len(c.damaged) > 180):
			t.Fatalf("%d records are damaged, fresh: %t", len(c.damaged), c.fresh)
		case err != nil && !errors.Is(err, persistence.ErrCorrupt) && !errors.Is(err, persistence.ErrNotHubStore) && !errors.Is(err, errNewer):
			t.Fatalf("%v wraps none of the errors there are", err)
		}
	})
}
