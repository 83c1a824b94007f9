package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

func TestCompactKeepsWhatIsRetained(t *testing.T) {
	t.Parallel()
	path := indexed(t)
	spoil(t, path, 9000)
	wantEntries, _, _ := export(t, path)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := errors.Join(os.Symlink(path, link), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path+".compact", []byte("left by a crash"))
	before, after, err := Compact(link)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != after || after >= before || info.Mode().Perm() != 0o640 {
		t.Errorf("%d bytes before, %d after, the file has %d and mode %s", before, after, info.Size(), info.Mode())
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	if i, err := os.Lstat(link); err != nil || i.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	v, problems := verify(t, path)
	if len(problems) != 1 || v.Events != 10_000 || v.FreePages > 4 {
		t.Errorf("verification is %+v with %q, want the damaged record alone", v, problems)
	}
	if entries, _, _ := export(t, path); !reflect.DeepEqual(entries, wantEntries) {
		t.Error("the entries differ")
	}
	// The keys are the same: ids lead where they did, and none is made twice.
	l := newLog(t, Options{Path: path, Retention: persistence.Retention{MaxEvents: 10_000}})
	for _, e := range []Entry{wantEntries[0], wantEntries[5000], wantEntries[len(wantEntries)-1]} {
		if position, found, err := l.Find(e.Update.ID); err != nil || !found || e.Update.ID[0] == 'u' && position != e.Position {
			t.Errorf("find %q: %d, %t, %v, want %d", e.Update.ID, position, found, err, e.Position)
		}
	}
	appendIDs(t, l, "new", "")
	wantFind(t, l, "new", 15_101)
}

// A store larger than what is copied in one transaction.
func TestCompactInSeveralTransactions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hub.db")
	l, err := Open(Options{Path: path, noSync: true, Retention: persistence.Retention{MaxEvents: 130}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		u := &mercure.Update{Topics: []string{"t"}, Data: strings.Repeat(fmt.Sprint(i), 100_000)}
		if _, err := l.Append([]*mercure.Event{mercure.NewEvent(u), mercure.NewEvent(u), mercure.NewEvent(u), mercure.NewEvent(u)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	want, _, _ := export(t, path)
	if _, after, err := Compact(path); err != nil || after < 2*compactTx {
		t.Fatalf("%d bytes, %v; want several times %d", after, err, compactTx)
	}
	if _, problems := verify(t, path); len(problems) > 0 {
		t.Errorf("problems: %q", problems)
	}
	if got, _, _ := export(t, path); len(got) != 130 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d entries, want the %d there were", len(got), len(want))
	}
}

func TestCompactRefuses(t *testing.T) {
	t.Parallel()
	held := newLog(t, Options{})
	torn := indexed(t)
	spoilPage(t, torn, eventsBucket)
	for name, tc := range map[string]struct {
		path string
		is   error
	}{
		"a store that is held": {held.path, persistence.ErrHeld},
		"a page is not sound":  {torn, persistence.ErrCorrupt},
		"no file":              {filepath.Join(t.TempDir(), "hub.db"), os.ErrNotExist},
		"another kind of file": {writeFile(t, filepath.Join(t.TempDir(), "hub.db"), make([]byte, 1<<16)), persistence.ErrNotHubStore},
	} {
		b, _ := os.ReadFile(tc.path)
		if _, _, err := Compact(tc.path); !errors.Is(err, tc.is) {
			t.Errorf("%s: %v, want %v", name, err, tc.is)
		}
		if after, _ := os.ReadFile(tc.path); string(after) != string(b) {
			t.Errorf("%s: the file was changed", name)
		}
		if left, _ := filepath.Glob(tc.path + ".*"); len(left) > 0 {
			t.Errorf("%s: %q are left", name, left)
		}
	}
}

// A hub that had the old file open, to wait for its lock, does not go on with it: nobody would find what it
// acknowledges.
func TestOpenOfAFileThatWasReplaced(t *testing.T) {
	t.Parallel()
	path := newFile(t, 100)
	_, err := Open(Options{Path: path, openFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		if _, _, err := Compact(path); err != nil {
			t.Error(err)
		}
		return f, err
	}})
	if !errors.Is(err, errReplaced) || !errors.Is(err, persistence.ErrHeld) {
		t.Errorf("open: %v, want errReplaced", err)
	}
	newLog(t, Options{Path: path})
}

// The same goes for a file that was written to between its examination and its lock.
func TestOpenOfAFileThatWasWrittenTo(t *testing.T) {
	t.Parallel()
	path := newFile(t, 100)
	_, err := Open(Options{Path: path, openFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
		editBolt(t, path, func(tx *bbolt.Tx) error { return bucket(tx, metaBucket).Put([]byte("x"), nil) })
		return os.OpenFile(name, flag, mode)
	}})
	if !errors.Is(err, errReplaced) {
		t.Errorf("open: %v, want errReplaced", err)
	}
	newLog(t, Options{Path: path})
}
