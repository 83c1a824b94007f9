package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

// verify returns what Verify finds, and its problems as lines.
func verify(t *testing.T, path string) (v Verification, problems []string) {
	t.Helper()
	v, err := Verify(path, func(err error) { problems = append(problems, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	if v.Problems != len(problems) {
		t.Errorf("%d problems are counted, %d were told", v.Problems, len(problems))
	}
	return v, problems
}

// indexed returns the path of a closed store with several runs, and records that retention has left.
func indexed(t *testing.T) string {
	t.Helper()
	b, err := indexedFile()
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, filepath.Join(t.TempDir(), "hub.db"), b)
}

// indexedFile makes that store once for all tests.
var indexedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "hubd-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hub.db")
	l, err := Open(Options{Path: path, noSync: true, Retention: persistence.Retention{MaxEvents: 10_000}})
	for first := 0; first < 15_100 && err == nil; first += 100 {
		batch := make([]*mercure.Event, 100)
		for i := range batch {
			u := &mercure.Update{Topics: []string{"t"}}
			if i%10 > 0 {
				u.ID = fmt.Sprint("id ", (first+i)%14_000)
			}
			batch[i] = mercure.NewEvent(u)
		}
		_, err = l.Append(batch)
	}
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func TestVerifySound(t *testing.T) {
	t.Parallel()
	path := indexed(t)
	v, problems := verify(t, path)
	if len(problems) > 0 {
		t.Errorf("a sound store has the problems %q", problems)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if v.Format != format || v.Events != 10_000 || v.Oldest != 5101 || v.Newest != 15_100 || v.OldestTime.IsZero() || v.NewestTime.Before(v.OldestTime) ||
		v.Bytes == 0 || v.FileBytes != info.Size() || v.Pages == 0 || v.FreePages == 0 || v.FreePages >= v.Pages {
		t.Errorf("verification is %+v", v)
	}
}

func TestVerifyFindsProblems(t *testing.T) {
	t.Parallel()
	editState := func(edit func(*state)) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			editBolt(t, path, func(tx *bbolt.Tx) error {
				meta := bucket(tx, metaBucket)
				s, err := parseState(meta.Get([]byte(stateKey)))
				edit(&s)
				return errors.Join(err, meta.Put([]byte(stateKey), s.append(nil)))
			})
		}
	}
	editRun := func(edit func(run []pair) []pair) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			editBolt(t, path, func(tx *bbolt.Tx) error {
				ids := bucket(tx, idsBucket)
				key, value := ids.Cursor().Last()
				last, err := keyPosition(key)
				return errors.Join(err, putRun(ids, edit(parseRun(value)), last))
			})
		}
	}
	for name, tc := range map[string]struct {
		damage func(t *testing.T, path string)
		says   string
	}{
		"a damaged record":           {func(t *testing.T, path string) { spoil(t, path, 9000) }, "record 9000: store is corrupt: a record whose checksum"},
		"a missing record":           {func(t *testing.T, path string) { edit(t, path, eventsBucket, positionKey(9000), nil) }, "record 9001 follows record 8999"},
		"the newest record missing":  {func(t *testing.T, path string) { edit(t, path, eventsBucket, positionKey(15_100), nil) }, "end at position 15099"},
		"an odd key":                 {func(t *testing.T, path string) { edit(t, path, eventsBucket, []byte("x"), []byte("y")) }, "a key of 1 bytes"},
		"another id than the hub's":  {foreignID, "record 9001: its id is not the one"},
		"the size":                   {editState(func(s *state) { s.size++ }), "the state says that the events have"},
		"the newest id":              {editState(func(s *state) { s.lastID += "x" }), "the state says that the newest id is"},
		"a pair is missing":          {editRun(func(run []pair) []pair { return run[1:] }), "the index of ids does not lead to it"},
		"a pair with another digest": {editRun(func(run []pair) []pair { run[7].digest++; return run }), "the index of ids does not lead to it"},
		"a pair for a hub's id": {editRun(func(run []pair) []pair {
			return append(run, pair{1, slices.MaxFunc(run, byPosition).position/10*10 + 1 - 10})
		}), "its publisher chose no id"},
		"a run that is not in order":   {unsorted, "is not in order"},
		"a run of half a pair":         {func(t *testing.T, path string) { edit(t, path, idsBucket, positionKey(15_000), make([]byte, 24)) }, "has 24 bytes"},
		"a run beyond what is indexed": {func(t *testing.T, path string) { edit(t, path, idsBucket, positionKey(15_099), make([]byte, 0)) }, "is not in order"},
		"a part that is not known": {func(t *testing.T, path string) {
			editBolt(t, path, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("more")); return err })
		}, "a part that is not known"},
		"a file that was cut off": {cutOff, "it was cut off"},
		"a page of the tree":      {func(t *testing.T, path string) { spoilPage(t, path, eventsBucket) }, "are lost: store is corrupt: page"},
		"a page of the index":     {func(t *testing.T, path string) { spoilPage(t, path, idsBucket) }, "index of ids: store is corrupt: page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := indexed(t)
			tc.damage(t, path)
			before, _ := os.ReadFile(path)
			_, problems := verify(t, path)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, tc.says) }) || len(problems) > 4 && name != "a file that was cut off" {
				t.Errorf("%d problems: %q, want one that says %q", len(problems), problems[:min(5, len(problems))], tc.says)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func byPosition(a, b pair) int { return int(a.position) - int(b.position) }

// edit puts or deletes a key.
func edit(t *testing.T, path, name string, key, value []byte) {
	t.Helper()
	editBolt(t, path, func(tx *bbolt.Tx) error {
		if value == nil {
			return bucket(tx, name).Delete(key)
		}
		return bucket(tx, name).Put(key, value)
	})
}

// foreignID gives a record an id that another store has made.
func foreignID(t *testing.T, path string) {
	e := mercure.NewEvent(&mercure.Update{Topics: []string{"t"}})
	e.Place(9001, e.Time, []byte("urn:uuid:00000000-0000-8000-8000-000000000000"))
	edit(t, path, eventsBucket, positionKey(9001), persistence.AppendRecord(nil, e))
}

func unsorted(t *testing.T, path string) {
	editBolt(t, path, func(tx *bbolt.Tx) error {
		key, value := bucket(tx, idsBucket).Cursor().Last()
		value = slices.Concat(value[pairLen:], value[:pairLen])
		return bucket(tx, idsBucket).Put(slices.Clone(key), value)
	})
}

func cutOff(t *testing.T, path string) {
	m, err := readMeta(openFor(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(m.pages/2)*int64(m.pageSize)); err != nil {
		t.Fatal(err)
	}
}

func openFor(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// spoilPage overwrites a page in the middle of a bucket's leaves, or its only one, with text.
func spoilPage(t *testing.T, path, name string) {
	t.Helper()
	m, err := readMeta(openFor(t, path))
	if err != nil {
		t.Fatal(err)
	}
	tr := newTree(openFor(t, path), m)
	roots, err := tr.buckets()
	if err != nil {
		t.Fatal(err)
	}
	page := roots[name].page
	for {
		kind, elements, err := tr.load(page)
		if err != nil {
			t.Fatal(err)
		}
		if kind == leafPage {
			break
		}
		page = elements[len(elements)/2].page
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("some other program has written here"), int64(page)*int64(m.pageSize))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{})
	for name, tc := range map[string]struct {
		path string
		is   error
	}{
		"a store that is held": {l.path, persistence.ErrHeld},
		"a text":               {writeFile(t, filepath.Join(t.TempDir(), "hub.db"), []byte(strings.Repeat("text ", 9999))), persistence.ErrNotHubStore},
		"zeros":                {writeFile(t, filepath.Join(t.TempDir(), "hub.db"), make([]byte, 1<<16)), persistence.ErrNotHubStore},
		"no file":              {filepath.Join(t.TempDir(), "hub.db"), os.ErrNotExist},
	} {
		if _, err := Verify(tc.path, func(err error) { t.Errorf("%s: %v", name, err) }); !errors.Is(err, tc.is) {
			t.Errorf("%s: %v, want %v", name, err, tc.is)
		}
	}
}
