package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

// export returns what Export passes, and what it complains of.
func export(t *testing.T, path string) (entries []Entry, x Exported, problems []string) {
	t.Helper()
	x, err := Export(path, func(e Entry) error {
		entries = append(entries, e)
		return nil
	}, func(err error) { problems = append(problems, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	if x.Entries != uint64(len(entries)) {
		t.Errorf("%d entries are counted, %d were passed", x.Entries, len(entries))
	}
	for i := range entries {
		if i > 0 && entries[i].Position <= entries[i-1].Position {
			t.Fatalf("record %d comes after %d", entries[i].Position, entries[i-1].Position)
		}
	}
	return entries, x, problems
}

func TestExportRestoresUpdates(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 2)
	l := newLog(t, Options{Now: func() time.Time { return at }})
	updates := []mercure.Update{
		{Topics: []string{"t"}},
		{Topics: []string{"t", "ü", "https://example.com/"}, ID: "mine", Type: "data: x", Retry: "10", Private: true, Data: "one\n\nevent: two\n"},
		{Topics: []string{"t"}, Data: "\n", Type: "retry"},
		{Topics: []string{"t"}, Data: strings.Repeat("long ", 10_000)},
	}
	var batch []*mercure.Event
	for i := range updates {
		batch = append(batch, mercure.NewEvent(&updates[i]))
	}
	if _, err := l.Append(batch); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(l.path, nil, nil); !errors.Is(err, persistence.ErrHeld) {
		t.Errorf("export of a store that is held: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	entries, x, problems := export(t, l.path)
	if len(problems) > 0 || x.Lost > 0 || len(entries) != len(updates) {
		t.Fatalf("%d entries, %d lost, problems %q", len(entries), x.Lost, problems)
	}
	for i, e := range entries {
		want := updates[i]
		want.ID = batch[i].ID()
		if e.Position != uint64(i)+1 || !e.Time.Equal(at) || !reflect.DeepEqual(e.Update, want) {
			t.Errorf("entry is %+v, want %+v", e, want)
		}
	}
	stop := errors.New("enough")
	if _, err := Export(l.path, func(Entry) error { return stop }, nil); !errors.Is(err, stop) {
		t.Errorf("an error of the receiver is not returned, but %v", err)
	}
}

// What can be read of a damaged file is saved, also what no sound page leads to.
func TestExportSaves(t *testing.T) {
	t.Parallel()
	overwrite := func(offset int64, what []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt(what, offset)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		damage func(t *testing.T, path string)
		least  int // how many of 10,000 are saved
		most   int
		says   string
	}{
		"a sound file":               {func(*testing.T, string) {}, 10_000, 10_000, ""},
		"a damaged record":           {func(t *testing.T, path string) { spoil(t, path, 9000) }, 9_999, 9_999, "record 9000"},
		"a leaf page":                {func(t *testing.T, path string) { spoilPage(t, path, eventsBucket) }, 9_900, 9_999, "of them were found by a search"},
		"the root of the records":    {spoilRoot, 10_000, 10_000, "10000 of them were found by a search"},
		"both meta pages":            {overwrite(0, make([]byte, 2*os.Getpagesize())), 10_000, 15_100, "the whole file is searched"},
		"a file that was cut off":    {cutOff, 1_000, 15_100, "search"},
		"keys of the store are gone": {func(t *testing.T, path string) { edit(t, path, metaBucket, []byte(idKeyKey), nil) }, 10_000, 15_100, "the whole file is searched"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := indexed(t)
			want := map[uint64]Entry{}
			all, _, _ := export(t, path)
			for _, e := range all {
				want[e.Position] = e
			}
			tc.damage(t, path)
			before, _ := os.ReadFile(path)
			entries, x, problems := export(t, path)
			right := 0
			for _, e := range entries {
				if w, retained := want[e.Position]; retained && !reflect.DeepEqual(e, w) {
					t.Fatalf("entry is %+v, want %+v", e, w)
				} else if retained {
					right++
				}
			}
			if right < tc.least || len(entries) > tc.most || tc.most <= 10_000 && x.Lost != uint64(10_000-right) {
				t.Errorf("%d right entries of %d, %d lost, want %d to %d", right, len(entries), x.Lost, tc.least, tc.most)
			}
			if tc.says != "" && !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, tc.says) }) || tc.says == "" && len(problems) > 0 {
				t.Errorf("problems are %q, want one that says %q", problems[:min(len(problems), 5)], tc.says)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

// spoilRoot overwrites the page that all records are reached through.
func spoilRoot(t *testing.T, path string) {
	t.Helper()
	m, err := readMeta(openFor(t, path))
	if err != nil {
		t.Fatal(err)
	}
	roots, err := newTree(openFor(t, path), m).buckets()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("some other program has written here"), int64(roots[eventsBucket].page)*int64(m.pageSize))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// In a small store the records lie within the page of their parent.
func TestExportSearchesWithinPages(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{})
	appendIDs(t, l, "a", "", "c")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:2*os.Getpagesize()])
	path := writeFile(t, filepath.Join(t.TempDir(), "hub.db"), b)
	if entries, _, problems := export(t, path); len(entries) != 3 || entries[2].Update.ID != "c" || len(problems) != 1 {
		t.Errorf("entries %+v, problems %q", entries, problems)
	}
}

// Of two records with one position the later one counts: the earlier was never acknowledged.
func TestSearchPrefersTheLaterRecord(t *testing.T) {
	t.Parallel()
	s := searcher{wanted: []span{everything}, found: map[uint64]stray{}}
	for i, at := range []int64{5, 7, 6} {
		_, b := recordOf(&mercure.Update{Topics: []string{"t"}, Data: fmt.Sprint(at)}, 3, time.Unix(at, 0))
		s.record(element{key: positionKey(3), value: b}, int64(i))
	}
	if got := s.found[3]; got.offset != 1 {
		t.Errorf("the record found is %+v, want the second", got)
	}
}

func TestExportNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hub.db")
	if _, err := Export(path, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Export(t.TempDir(), nil, nil); !errors.Is(err, persistence.ErrNotHubStore) {
		t.Errorf("a directory: %v", err)
	}
	editBolt(t, path, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("key")); return err })
	if _, err := Export(path, nil, nil); !errors.Is(err, persistence.ErrNotHubStore) {
		t.Errorf("another program's file: %v", err)
	}
	if entries, _, problems := export(t, writeFile(t, path, nil)); len(entries) > 0 || len(problems) > 1 {
		t.Errorf("an empty file: %+v, %q", entries, problems)
	}
}
