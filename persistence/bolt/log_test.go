package bolt

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"hubd/persistence"
)

// failPersisted makes the next update report an error after it has changed the file.
func failPersisted(l *Log) {
	l.update = func(fn func(*bbolt.Tx) error) error {
		l.update = l.db.Update
		if err := l.db.Update(fn); err != nil {
			return err
		}
		return errFault
	}
}

// When a commit fails at its last step, the disk may hold the meta page before it, which needs the
// pages that the commit has freed. Until a later meta page is on the disk they must stay as they are.
func TestAppendAfterAFailureWritesAMetaPageFirst(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{Retention: persistence.Retention{MaxEvents: 500}})
	appendIDs(t, l, make([]string, 1000)...)
	failPersisted(l)
	if _, err := l.Append(fill(100)); err == nil {
		t.Fatal("the append does not fail")
	}
	data := func() []byte {
		b, err := os.ReadFile(l.path)
		if err != nil {
			t.Fatal(err)
		}
		return b[2*os.Getpagesize():]
	}
	afterFailure := data()
	updates := 0
	l.update = func(fn func(*bbolt.Tx) error) error {
		updates++
		if err := l.db.Update(fn); err != nil {
			return err
		}
		if changed := !bytes.Equal(data(), afterFailure); changed != (updates > 1) {
			t.Errorf("update %d after the failure writes to pages of data: %t", updates, changed)
		}
		return nil
	}
	if first, err := l.Append(fill(100)); err != nil || first != 1101 {
		t.Errorf("append after the failure: %d, %v, want 1101", first, err)
	}
	if updates != 2 {
		t.Errorf("%d updates, want one without data and one with", updates)
	}
}

// bbolt forgets which readers use the pages that a failed commit has freed.
func TestAppendAfterAFailureWaitsForReaders(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{})
	appendIDs(t, l, make([]string, 100)...)

	var mu sync.Mutex
	var order []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, what)
	}
	reading, read := make(chan struct{}), make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		err := l.view(func(*bbolt.Tx) error {
			close(reading)
			<-read
			note("reader done")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-reading
	failPersisted(l)
	if _, err := l.Append(fill(1)); err == nil {
		t.Fatal("the append does not fail")
	}
	settling := make(chan struct{}, 2)
	l.update = func(fn func(*bbolt.Tx) error) error {
		note("update")
		settling <- struct{}{}
		return l.db.Update(fn)
	}
	work.Go(func() {
		if _, err := l.Append(fill(1)); err != nil {
			t.Error(err)
		}
	})
	<-settling
	for range 1000 {
		runtime.Gosched() // what does not wait gets ahead here
	}
	close(read)
	work.Wait()
	if got := strings.Join(order, ", "); got != "update, reader done, update" {
		t.Errorf("order: %s", got)
	}
}

func TestAppendAfterAPanicOfBboltRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hub.db")
	l, err := Open(Options{Path: path, noSync: true})
	if err != nil {
		t.Fatal(err)
	}
	appendIDs(t, l, "a", "b")
	l.update = func(func(*bbolt.Tx) error) error { panic("page 7: assertion failed") }
	for range 2 {
		if _, err := l.Append(fill(1)); err == nil {
			t.Error("an append works after a panic")
		}
		l.update = l.db.Update
	}
	wantFind(t, l, "b", 2)
	for range 2 {
		if err := l.Close(); err == nil {
			t.Error("close does not tell that the file stays locked")
		}
	}
	if err := l.db.Close(); err != nil { // nothing was locked in truth
		t.Error(err)
	}
}

// What retention took out of the history does not stay in the file for ever.
func TestRemovedRecordsLeaveTheFile(t *testing.T) {
	t.Parallel()
	records := func(l *Log) (n int) {
		err := l.view(func(tx *bbolt.Tx) error {
			n = bucket(tx, eventsBucket).Stats().KeyN
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	now := time.Unix(1000, 0)
	o := Options{Retention: persistence.Retention{MaxEvents: 50, MaxAge: time.Hour}, Now: func() time.Time { return now }}
	l := newLog(t, o)
	for range 3000 {
		appendIDs(t, l, "")
		if n := records(l); n > 50+purgeLeast+1 {
			t.Fatalf("%d records for 50 events", n)
		}
	}
	l = reopen(t, l, o)
	if n := records(l); n != 50 {
		t.Errorf("%d records for 50 events when opened again", n)
	}
	now = now.Add(2 * time.Hour)
	l = reopen(t, l, o)
	if n := records(l); n != 0 {
		t.Errorf("%d records for an empty history when opened again", n)
	}
}

const childEnv = "HUBD_TEST_APPEND_TO"

// TestKilledProcess kills a process that appends, with real syncs, and finds what it had acknowledged.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(childEnv); path != "" {
		appendForEver(path)
	}
	path := filepath.Join(t.TempDir(), "hub.db")
	known := map[uint64]string{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := bufio.NewScanner(out)
		for n := 0; n < 40+round && acknowledged.Scan(); n++ {
			position, id, _ := strings.Cut(acknowledged.Text(), " ")
			p, err := strconv.ParseUint(position, 10, 64)
			if err != nil {
				t.Fatalf("the child says %q", acknowledged.Text())
			}
			if known[p] != "" {
				t.Fatalf("position %d was given to %q and to %q", p, known[p], id)
			}
			known[p] = id
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		checkFile(t, path)
		l := newLog(t, Options{Path: path})
		for position, id := range known {
			wantFind(t, l, id, position)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(known) < 160 {
		t.Errorf("%d events were acknowledged", len(known))
	}
}

// appendForEver acknowledges each event on standard output until the process is killed.
func appendForEver(path string) {
	l, err := Open(Options{Path: path})
	for i := 0; err == nil; i++ {
		batch := fill(1 + i%3)
		if _, err = l.Append(batch); err == nil && batch[len(batch)-1].OwnID == false {
			e := batch[len(batch)-1]
			fmt.Println(e.Position, e.ID())
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// A reader that is overtaken between looking at the bounds and reading goes on with what is left.
func TestPageRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{Retention: persistence.Retention{MaxEvents: 100}, Ring: persistence.RingOptions{Slots: 1}})
	appendIDs(t, l, make([]string, 100)...)
	l.transactions.Lock()
	var work sync.WaitGroup
	work.Go(func() {
		page, err := l.Read(0, 1000)
		if err != nil || len(page) == 0 || page[0].Position < 4901 {
			t.Errorf("a page of %d events and %v", len(page), err)
		}
	})
	for range 1000 {
		runtime.Gosched() // until the reader waits for its transaction
	}
	for range 49 {
		appendIDs(t, l, make([]string, 100)...)
	}
	l.transactions.Unlock()
	work.Wait()
}

// A page that was read does not depend on the file: its pages are used again, and the mapping goes.
func TestPagesAreCopies(t *testing.T) {
	t.Parallel()
	l := newLog(t, Options{Ring: persistence.RingOptions{Slots: 1}})
	batch := fill(50)
	if _, err := l.Append(batch); err != nil {
		t.Fatal(err)
	}
	page, err := l.Read(0, 1<<20)
	if err != nil || len(page) != len(batch) {
		t.Fatalf("%d events, %v", len(page), err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i, e := range page {
		if !bytes.Equal(e.Frame(), batch[i].Frame()) || e.Topics[0] != batch[i].Topics[0] {
			t.Errorf("event %d has changed", e.Position)
		}
	}
}
