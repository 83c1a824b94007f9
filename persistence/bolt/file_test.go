package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

// fill returns a batch of n events, every third with an id of its own.
func fill(n int) []*mercure.Event {
	batch := make([]*mercure.Event, n)
	for i := range batch {
		u := &mercure.Update{Topics: []string{"t"}, Data: strings.Repeat("d", 200)}
		if i%3 == 0 {
			u.ID = fmt.Sprint("own ", i)
		}
		batch[i] = mercure.NewEvent(u)
	}
	return batch
}

// newFile returns the path of a closed store with n events.
func newFile(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.db")
	l, err := Open(Options{Path: path, noSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for range n / 100 {
		if _, err := l.Append(fill(100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// editBolt changes a file with bbolt itself.
func editBolt(t *testing.T, path string, edit func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(edit), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T) (path string)
		is      error
		says    string
	}{
		{"a missing directory", func(t *testing.T) string { return filepath.Join(t.TempDir(), "no", "hub.db") }, nil, "does not exist; create it"},
		{"a directory that is a file", func(t *testing.T) string { return filepath.Join(newFile(t, 0), "hub.db") }, nil, "does not exist; create it"},
		{"a directory", func(t *testing.T) string { return t.TempDir() }, persistence.ErrNotHubStore, "not a regular file"},
		{"a text", func(t *testing.T) string {
			return writeFile(t, filepath.Join(t.TempDir(), "hub.db"), []byte(strings.Repeat("listen: 127.0.0.1\n", 1000)))
		}, persistence.ErrNotHubStore, "not a bbolt file"},
		{"a short text", func(t *testing.T) string {
			return writeFile(t, filepath.Join(t.TempDir(), "hub.db"), []byte("x"))
		}, persistence.ErrNotHubStore, "not a bbolt file"},
		{"another program's bbolt file", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "etcd.db")
			editBolt(t, path, func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucket([]byte("key"))
				return err
			})
			return path
		}, persistence.ErrNotHubStore, ""},
		{"another program's bbolt file with a bucket of our name", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "etcd.db")
			editBolt(t, path, func(tx *bbolt.Tx) error {
				b, err := tx.CreateBucket([]byte(metaBucket))
				if err != nil {
					return err
				}
				return b.Put([]byte(formatKey), []byte("other\x00\x00\x00\x01"))
			})
			return path
		}, persistence.ErrNotHubStore, ""},
		{"a store of the future", func(t *testing.T) string {
			path := newFile(t, 100)
			editBolt(t, path, func(tx *bbolt.Tx) error {
				return bucket(tx, metaBucket).Put([]byte(formatKey), binary.BigEndian.AppendUint32([]byte(formatMagic), format+1))
			})
			return path
		}, errNewer, "format 3, this hub reads up to 2"},
		{"a store without its key", func(t *testing.T) string {
			path := newFile(t, 100)
			editBolt(t, path, func(tx *bbolt.Tx) error { return bucket(tx, metaBucket).Delete([]byte(idKeyKey)) })
			return path
		}, persistence.ErrCorrupt, ""},
		{"a store with a missing record", func(t *testing.T) string {
			path := newFile(t, 100)
			editBolt(t, path, func(tx *bbolt.Tx) error { return bucket(tx, eventsBucket).Delete(positionKey(50)) })
			return path
		}, persistence.ErrCorrupt, "record 51 follows record 49"},
		{"a store whose newest record is missing", func(t *testing.T) string {
			path := newFile(t, 100)
			editBolt(t, path, func(tx *bbolt.Tx) error { return bucket(tx, eventsBucket).Delete(positionKey(100)) })
			return path
		}, persistence.ErrCorrupt, "end at position 99"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := tc.prepare(t)
			before, _ := os.ReadFile(path)
			l, err := Open(Options{Path: path})
			if err == nil {
				l.Close()
				t.Fatal("it opens")
			}
			if tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("the error is %q, want one that wraps %v, names the path and says %q", err, tc.is, tc.says)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
			if !strings.Contains(tc.name, "record") { // Check does not read all records
				if err := Check(path); err == nil || tc.is != nil && !errors.Is(err, tc.is) {
					t.Errorf("check: %v, want one that wraps %v", err, tc.is)
				}
			}
		})
	}
}

func writeFile(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenTakesWhatIsAlmostNothing(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(path string){
		"no file":                   func(string) {},
		"an empty file":             func(path string) { writeFile(t, path, nil) },
		"a bbolt file with nothing": func(path string) { editBolt(t, path, func(*bbolt.Tx) error { return nil }) },
	} {
		path := filepath.Join(t.TempDir(), "hub.db")
		prepare(path)
		if err := Check(path); err != nil {
			t.Errorf("%s: check: %v", name, err)
		}
		l, err := Open(Options{Path: path})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := l.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
		if err := Check(path); err != nil {
			t.Errorf("%s: check once it is a store: %v", name, err)
		}
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hub.db")
	if err := Check(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("check has made the file")
	}
}

func TestOpenHeld(t *testing.T) {
	t.Parallel()
	path := newFile(t, 0)
	l, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: path}); !errors.Is(err, persistence.ErrHeld) {
		t.Errorf("open: %v, want ErrHeld", err)
	}
	if err := Check(path); !errors.Is(err, persistence.ErrHeld) {
		t.Errorf("check: %v, want ErrHeld", err)
	}
	if _, err := l.Append(fill(1)); err != nil {
		t.Errorf("append by the holder: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Check(path); err != nil {
		t.Errorf("check after close: %v", err)
	}
}

func TestOpenTruncated(t *testing.T) {
	t.Parallel()
	path := newFile(t, 1000)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := readMeta(strings.NewReader(string(whole)))
	if err != nil {
		t.Fatal(err)
	}
	used := int(meta.pages) * int(meta.pageSize)
	for size := used - 1; size > 0; size -= 1777 {
		writeFile(t, path, whole[:size])
		l, err := Open(Options{Path: path})
		if err == nil {
			l.Close()
			t.Fatalf("%d of %d bytes open", size, used)
		}
		if !errors.Is(err, persistence.ErrCorrupt) && (size >= int(meta.pageSize) || !errors.Is(err, persistence.ErrNotHubStore)) {
			t.Errorf("%d of %d bytes: %v, want ErrCorrupt", size, used, err)
		}
		if err := Check(path); err == nil {
			t.Errorf("check takes %d of %d bytes", size, used)
		}
	}
	writeFile(t, path, whole[:used])
	l, err := Open(Options{Path: path})
	if err != nil {
		t.Fatalf("all bytes in use: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenDamaged overwrites one page after the other. Not every damage can be noticed, but none may
// end the process.
func TestOpenDamaged(t *testing.T) {
	t.Parallel()
	path := newFile(t, 400)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	refused := 0
	for at := 0; at+page <= len(whole) && at < 60*page; at += page {
		for _, pattern := range []string{"\x00", "\xff", string(whole[3*page : 4*page])} {
			damaged := []byte(string(whole))
			for i := range page {
				damaged[at+i] = pattern[i%len(pattern)]
			}
			writeFile(t, path, damaged)
			l, err := Open(Options{Path: path, noSync: true})
			if err != nil {
				refused++
				continue
			}
			_, _ = l.Read(0, 1<<20)
			_, _, _ = l.Find("own 3")
			_, _ = l.Append(fill(10))
			_ = l.Close()
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
	t.Logf("%d damages refused", refused)
}

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, o := range map[string]Options{
		"no path":          {},
		"negative timeout": {Path: dir, LockTimeout: -1},
		"negative age":     {Path: dir, Retention: persistence.Retention{MaxAge: -1}},
		"odd slots":        {Path: dir, Ring: persistence.RingOptions{Slots: 3}},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := Open(o); err == nil {
			t.Errorf("%s: opens", name)
		}
	}
}
