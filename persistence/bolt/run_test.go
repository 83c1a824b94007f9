package bolt

import (
	"fmt"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

func newLog(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "hub.db")
	}
	o.noSync = true
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		checkFile(t, o.Path)
	})
	return l
}

func reopen(t testing.TB, l *Log, o Options) *Log {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.Path = l.path
	return newLog(t, o)
}

// appendIDs appends one event for each id in batches; an empty id is made by the log.
func appendIDs(t testing.TB, l *Log, ids ...string) {
	t.Helper()
	for len(ids) > 0 {
		batch := make([]*mercure.Event, min(1000, len(ids)))
		for i := range batch {
			batch[i] = mercure.NewEvent(&mercure.Update{Topics: []string{"t"}, ID: ids[i]})
		}
		if _, err := l.Append(batch); err != nil {
			t.Fatal(err)
		}
		ids = ids[len(batch):]
	}
}

// runs returns the last positions and the lengths of the runs in the file.
func runs(t testing.TB, l *Log) (lasts []uint64, pairs []int) {
	t.Helper()
	err := l.view(func(tx *bbolt.Tx) error {
		return bucket(tx, idsBucket).ForEach(func(key, value []byte) error {
			last, err := keyPosition(key)
			lasts, pairs = append(lasts, last), append(pairs, len(value)/pairLen)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return lasts, pairs
}

func wantFind(t testing.TB, l *Log, id string, want uint64) {
	t.Helper()
	position, found, err := l.Find(id)
	if err != nil || found != (want > 0) || found && position != want {
		t.Errorf("find %q is (%d, %t, %v), want %d", id, position, found, err, want)
	}
}

func TestRunsAreWrittenWhenThePairsAreMany(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{})
	ids := make([]string, 3*runPairs)
	for i := range ids {
		ids[i] = fmt.Sprint("id ", i)
	}
	appendIDs(t, l, ids...)
	lasts, pairs := runs(t, l)
	total := len(*l.recent.Load())
	for i, n := range pairs {
		if n < runPairs || n > runPairs+1000 {
			t.Errorf("run %d has %d pairs", i, n)
		}
		total += n
	}
	if len(lasts) < 2 || total != len(ids) {
		t.Errorf("%d runs, %d pairs altogether, want %d", len(lasts), total, len(ids))
	}
	l = reopen(t, l, Options{})
	if got, want := uint64(len(*l.recent.Load())), uint64(len(ids))-lasts[len(lasts)-1]; got != want {
		t.Errorf("%d pairs were restored, want the %d after the last run", got, want)
	}
	for i := 0; i < len(ids); i += 61 {
		wantFind(t, l, ids[i], uint64(i)+1)
	}
}

// However few ids are chosen, what Open has to read again is bounded.
func TestRunsAreWrittenWhenThePositionsAreMany(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{})
	ids := make([]string, runSpan+2000)
	ids[3], ids[runSpan+1500] = "early", "late"
	appendIDs(t, l, ids...)
	if lasts, pairs := runs(t, l); len(lasts) != 1 || pairs[0] != 1 {
		t.Errorf("runs up to %d with %d pairs, want one with the early id", lasts, pairs)
	}
	if l.state.head-l.state.indexed >= runSpan {
		t.Errorf("the runs reach to %d, the head is %d", l.state.indexed, l.state.head)
	}
	l = reopen(t, l, Options{})
	if pairs := *l.recent.Load(); len(pairs) != 1 {
		t.Errorf("%d pairs were restored, want the one of the late id", len(pairs))
	}
	wantFind(t, l, "early", 4)
	wantFind(t, l, "late", runSpan+1501)
}

// A store in which nobody chose an id finds recent events without going to the file.
func TestNoRunsWithoutChosenIDs(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{})
	appendIDs(t, l, make([]string, runSpan+1000)...)
	if lasts, _ := runs(t, l); len(lasts) > 0 || l.runs.Load() {
		t.Errorf("runs up to %d, and readers look for them: %t", lasts, l.runs.Load())
	}
	if l.state.indexed == 0 {
		t.Error("what Open has to read is not bounded")
	}
	l.transactions.Lock() // no transaction can begin
	defer l.transactions.Unlock()
	wantFind(t, l, l.LastID(), l.state.head)
	wantFind(t, l, "unknown", 0)
}

func TestRunsEndWithTheirEvents(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{Retention: persistence.Retention{MaxEvents: 2000}})
	ids := make([]string, 5*runPairs)
	for i := range ids {
		ids[i] = fmt.Sprint("id ", i)
	}
	appendIDs(t, l, ids...)
	appendIDs(t, l, make([]string, 2001)...)
	lasts, _ := runs(t, l)
	for _, last := range lasts {
		if last <= l.state.before-1000 {
			t.Errorf("the run up to %d is left, the history begins after %d", last, l.state.before)
		}
	}
	for i := 0; i < len(ids); i += 97 {
		wantFind(t, l, ids[i], 0)
	}
}

// TestFindToleratesEqualDigests plants pairs of one digest that lead to events with other ids.
func TestFindToleratesEqualDigests(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{})
	appendIDs(t, l, "a", "b", "", "c", "b", "d")
	digest := l.digester.digest([]byte("b"))
	plant := []pair{{digest, 1}, {digest, 2}, {digest, 3}, {digest, 5}}

	l.recent.Store(&plant)
	wantFind(t, l, "b", 2)
	wantFind(t, l, "e", 0)

	none := []pair{}
	l.recent.Store(&none)
	l.runs.Store(true)
	if err := l.db.Update(func(tx *bbolt.Tx) error { return putRun(bucket(tx, idsBucket), plant, 6) }); err != nil {
		t.Fatal(err)
	}
	wantFind(t, l, "b", 2)

	same := []pair{{l.digester.digest([]byte("x")), 1}, {l.digester.digest([]byte("x")), 6}}
	l.recent.Store(&same)
	wantFind(t, l, "x", 0)
}

func TestDigestDependsOnTheStore(t *testing.T) {
	t.Parallel()
	a, b := newLog(t, Options{}), newLog(t, Options{})
	if a.digester.digest([]byte("id")) == b.digester.digest([]byte("id")) {
		t.Error("two stores digest an id in the same way")
	}
	if a.digester.digest([]byte("id")) == a.digester.digest([]byte("id2")) {
		t.Error("two ids have one digest")
	}
}
