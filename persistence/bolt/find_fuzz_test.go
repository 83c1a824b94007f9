package bolt

import (
	"path/filepath"
	"strconv"
	"testing"

	"hubd/mercure"
)

// FuzzFind: whatever a client gives as its last event, Find does not fail, and what it finds has that id.
func FuzzFind(f *testing.F) {
	l, err := Open(Options{Path: filepath.Join(f.TempDir(), "hub.db")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	for i := range 20 {
		u := &mercure.Update{Topics: []string{"t"}}
		if i%2 == 0 {
			u.ID = "urn:example:" + strconv.Itoa(i)
		}
		e := mercure.NewEvent(u)
		if _, err := l.Append([]*mercure.Event{e}); err != nil {
			f.Fatal(err)
		}
		f.Add(e.ID())
	}
	f.Add("")
	f.Add("earliest")
	f.Add("urn:uuid:00000000-0000-8000-8000-000000000000")
	f.Fuzz(func(t *testing.T, id string) {
		position, found, err := l.Find(id)
		if err != nil {
			t.Fatalf("find %q: %v", id, err)
		}
		if !found {
			return
		}
		page, err := l.Read(position-1, 1)
		if err != nil || len(page) != 1 || page[0].ID() != id {
			t.Fatalf("find %q: position %d holds %v (%v)", id, position, page, err)
		}
	})
}
