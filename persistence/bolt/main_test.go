package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"hubd/persistence"
	"hubd/persistence/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a directory with one store, and its copies after crashes.
type place struct {
	dir    string
	file   int
	log    *Log
	noSync bool
}

func newPlace(t testing.TB) logtest.Place {
	p := &place{dir: t.TempDir(), noSync: true}
	t.Cleanup(func() { checkFile(t, p.path()) })
	return p
}

func (p *place) path() string { return filepath.Join(p.dir, "hub"+strconv.Itoa(p.file)+".db") }

func (p *place) Open(o logtest.Options) (persistence.Log, error) {
	log, err := Open(Options{Path: p.path(), Retention: o.Retention, Ring: o.Ring, Now: o.Now, noSync: p.noSync})
	if err != nil {
		return nil, err
	}
	p.log = log
	return log, nil
}

// Crash goes on with a copy of the file as it lies on the disk: the next process finds no more.
func (p *place) Crash(t testing.TB) {
	restore := p.Snapshot(t, p.log)
	if err := p.log.Close(); err != nil {
		t.Fatal(err)
	}
	restore()
}

func (p *place) Snapshot(t testing.TB, _ persistence.Log) func() {
	b, err := os.ReadFile(p.path())
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		checkFile(t, p.path())
		p.file++
		if err := os.WriteFile(p.path(), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var errFault = errors.New("input/output error")

func (p *place) Fail(persisted bool) {
	log := p.log
	log.update = func(fn func(*bbolt.Tx) error) error {
		if persisted {
			// What bbolt does when the sync of the meta page fails: the error comes after the
			// file has changed, and bbolt goes on from the changed file.
			if err := log.db.Update(fn); err != nil {
				return err
			}
		}
		return errFault
	}
}

func (p *place) Heal() { p.log.update = p.log.db.Update }

// checkFile runs bbolt's consistency check on a file that is not open.
func checkFile(t testing.TB, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Errorf("open for the consistency check: %v", err)
		return
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("%s is inconsistent: %v", filepath.Base(path), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func backend() logtest.Backend { return logtest.Backend{New: newPlace, Durable: true} }

func TestLog(t *testing.T) {
	t.Parallel()
	logtest.Run(t, backend())
}

func BenchmarkLog(b *testing.B) {
	logtest.Benchmark(b, logtest.Backend{Durable: true, New: func(t testing.TB) logtest.Place {
		return &place{dir: t.TempDir()}
	}})
}
