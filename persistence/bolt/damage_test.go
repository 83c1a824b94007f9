package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

// reports notes what Options.Damaged is told.
type reports struct {
	mu        sync.Mutex
	positions []uint64
}

func (r *reports) add(position uint64, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.positions = append(r.positions, position)
}

func (r *reports) want(t *testing.T, positions ...uint64) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.positions, positions) {
		t.Errorf("records %v were reported, want %v", r.positions, positions)
	}
}

// spoil flips a bit within the data of records.
func spoil(t *testing.T, path string, positions ...uint64) {
	t.Helper()
	editBolt(t, path, func(tx *bbolt.Tx) error {
		return spoilRecords(bucket(tx, eventsBucket), positions...)
	})
}

func spoilRecords(events *bbolt.Bucket, positions ...uint64) error {
	for _, position := range positions {
		value := slices.Clone(events.Get(positionKey(position)))
		value[len(value)-20] ^= 1
		if err := events.Put(positionKey(position), value); err != nil {
			return err
		}
	}
	return nil
}

func positionsOf(page []*mercure.Event) (positions []uint64) {
	for _, e := range page {
		positions = append(positions, e.Position)
	}
	return positions
}

// A record that cannot be read is reported once, passed over by everyone, and no hindrance to anything.
func TestDamagedRecordsArePassedOver(t *testing.T) {
	t.Parallel()
	path := newFile(t, 100)
	spoil(t, path, 1, 10, 11, 100) // records 1, 10 and 100 have ids of their own
	var r reports
	l := newLog(t, Options{Path: path, Damaged: r.add, Retention: persistence.Retention{MaxEvents: 120}})
	for range 2 {
		page, err := l.Read(8, 1<<20)
		if got := positionsOf(page); err != nil || len(got) != 89 || got[0] != 9 || got[1] != 12 || got[88] != 99 {
			t.Errorf("%v and %v are read after 8", got, err)
		}
		// Nothing can be read after 99, but there is nothing to wait for either.
		if page, err = l.Read(99, 1<<20); err != nil || len(page) != 0 {
			t.Errorf("%v and %v are read after 99", positionsOf(page), err)
		}
		if page, err = l.Read(9, 1); err != nil || len(page) != 1 || page[0].Position != 12 {
			t.Errorf("%v and %v are read after 9 as the smallest page", positionsOf(page), err)
		}
	}
	tail, err := l.Tail(9, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	got, err := tail.Next(nil, 1)
	if err != nil || len(got) != 1 || got[0].Position != 12 {
		t.Errorf("the tail brings %v and %v after 9", positionsOf(got), err)
	}
	// Their ids still lead to them: a stream that resumes from there misses nothing.
	wantFind(t, l, string(l.cipher.Append(nil, 11)), 11)
	r.want(t, 1, 10, 11, 100)

	if first, err := l.Append(fill(100)); err != nil || first != 101 {
		t.Fatalf("append: %d, %v", first, err)
	}
	if before, head := l.Bounds(); before != 80 || head != 200 {
		t.Errorf("bounds are (%d, %d), want (80, 200)", before, head)
	}
	r.want(t, 1, 10, 11, 100)
	l = reopen(t, l, Options{Damaged: r.add})
	r.want(t, 1, 10, 11, 100, 100)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// Disks decay under a hub that runs, too. Its readers find out.
func TestRecordsDamagedMeanwhile(t *testing.T) {
	t.Parallel()
	var r reports
	now := time.Unix(1000, 0)
	l := newLog(t, Options{
		Damaged: r.add, Ring: persistence.RingOptions{Slots: 1}, Now: func() time.Time { return now },
		Retention: persistence.Retention{MaxAge: time.Minute},
	})
	batch := fill(50)
	if _, err := l.Append(batch); err != nil {
		t.Fatal(err)
	}
	id := batch[4].ID()
	if err := l.db.Update(func(tx *bbolt.Tx) error { return spoilRecords(bucket(tx, eventsBucket), 4, 5, 6) }); err != nil {
		t.Fatal(err)
	}
	r.want(t)
	wantFind(t, l, id, 5)
	r.want(t, 5)
	for range 2 {
		if page, err := l.Read(3, 1); err != nil || len(page) != 1 || page[0].Position != 7 {
			t.Errorf("%v and %v are read after 3", positionsOf(page), err)
		}
	}
	r.want(t, 5, 4, 6)
	// They do not keep the retention from going on.
	now = now.Add(time.Hour)
	if _, err := l.Append(fill(1)); err != nil {
		t.Fatal(err)
	}
	if before, head := l.Bounds(); before != 50 || head != 51 {
		t.Errorf("bounds are (%d, %d), want (50, 51)", before, head)
	}
	r.want(t, 5, 4, 6)
}

// A store that a hub without checksums wrote is read as it is. What is added has checksums, and that hub
// is told not to read on.
func TestFormerFormat(t *testing.T) {
	t.Parallel()
	path := newFile(t, 200)
	editBolt(t, path, func(tx *bbolt.Tx) error {
		events := bucket(tx, eventsBucket)
		for position := uint64(1); position <= 200; position++ {
			if err := events.Put(positionKey(position), unsummed(events.Get(positionKey(position)))); err != nil {
				return err
			}
		}
		return bucket(tx, metaBucket).Put([]byte(formatKey), binary.BigEndian.AppendUint32([]byte(formatMagic), 1))
	})
	var r reports
	l := newLog(t, Options{Path: path, Damaged: r.add})
	if page, err := l.Read(0, 1<<20); err != nil || len(page) != 200 {
		t.Errorf("%d events and %v are read", len(page), err)
	}
	appendIDs(t, l, "mine")
	wantFind(t, l, "mine", 201)
	wantFind(t, l, "own 3", 4)
	err := l.view(func(tx *bbolt.Tx) error {
		h, _, err := loadHeader(tx)
		if h.format != format {
			t.Errorf("the format is %d", h.format)
		}
		if v := bucket(tx, eventsBucket).Get(positionKey(201)); v[0] != 2 {
			t.Errorf("the new record has version %d", v[0])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	r.want(t)
}

// TestDamagedAnywhere flips bytes all over files. Whatever comes of it, no process ends: bbolt is shown
// only what was found to be sound. The seed repeats a run.
func TestDamagedAnywhere(t *testing.T) {
	t.Parallel()
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	whole, err := os.ReadFile(newFile(t, 1000))
	if err != nil {
		t.Fatal(err)
	}
	m, err := readMeta(fileOf(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	h, _, _, err := newTree(fileOf(t, whole), m).loadHeader()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	refused, damaged := 0, 0
	for seed := range rounds {
		random := rand.New(rand.NewPCG(uint64(seed), 0))
		b := slices.Clone(whole[:m.pages*uint64(m.pageSize)])
		for range 1 + random.IntN(4) {
			page := 2 + random.IntN(int(m.pages)-2)
			at := page*int(m.pageSize) + random.IntN(int(m.pageSize))
			if random.IntN(2) == 0 {
				at = page*int(m.pageSize) + random.IntN(64) // the header and the first elements
			}
			b[at] ^= byte(1 + random.IntN(255))
		}
		if random.IntN(8) == 0 {
			b = b[:random.IntN(len(b))]
		}
		path := writeFile(t, filepath.Join(dir, "hub.db"), b)
		told := 0
		discreet := func(err error) {
			if text := fmt.Sprint(err); strings.Contains(text, fmt.Sprintf("%x", h.idKey[4:8])) || strings.Contains(text, string(h.idKey[4:8])) {
				t.Fatalf("seed %d: the error %q shows the key of the store", seed, text)
			}
		}
		_, verifyErr := Verify(path, func(err error) {
			told++
			discreet(err)
		})
		if _, err := Export(path, func(Entry) error { return nil }, discreet); err != nil {
			if !errors.Is(err, persistence.ErrNotHubStore) {
				t.Fatalf("seed %d: export: %v", seed, err)
			}
		}
		reported := 0
		l, err := Open(Options{Path: path, noSync: true, Damaged: func(uint64, error) { reported++ }})
		discreet(errors.Join(err, verifyErr))
		switch {
		case err != nil && told == 0 && verifyErr == nil:
			t.Fatalf("seed %d: open: %v, but verify finds nothing", seed, err)
		case err != nil:
			refused++
			continue
		case reported > 0 && told == 0:
			t.Fatalf("seed %d: %d records are damaged, but verify finds nothing", seed, reported)
		case reported > 0:
			damaged++
		}
		page, err := l.Read(0, 1<<20)
		if err != nil || len(page)+reported < 1000 {
			t.Fatalf("seed %d: %d events are read, %d records are damaged: %v", seed, len(page), reported, err)
		}
		if _, err := l.Append(fill(10)); err != nil {
			t.Fatalf("seed %d: append: %v", seed, err)
		}
		if err := l.Close(); err != nil {
			t.Fatalf("seed %d: close: %v", seed, err)
		}
	}
	if refused < rounds/10 || damaged < rounds/10 {
		t.Errorf("%d files were refused, %d had damaged records", refused, damaged)
	}
}

func fileOf(t *testing.T, b []byte) *os.File {
	t.Helper()
	f, err := os.Open(writeFile(t, filepath.Join(t.TempDir(), "file"), b))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// What another program does to the file of a log that is open must not end the process: no call panics,
// faults or hangs, and what is in memory can still be read.
func TestFileCutOffMeanwhile(t *testing.T) {
	t.Parallel()
	for _, pages := range []int64{0, 1, 2, 3, 5, 9, 20} {
		path := filepath.Join(t.TempDir(), "hub.db")
		l, err := Open(Options{Path: path, noSync: true, Ring: persistence.RingOptions{Slots: 8}, Retention: persistence.Retention{MaxEvents: 300}})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, err := l.Append(fill(100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Truncate(path, pages*int64(os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if page, err := l.Read(200, 1<<20); err == nil && len(page) == 0 || err != nil && !errors.Is(err, persistence.ErrCorrupt) {
				t.Errorf("%d pages: %d events and %v are read from the file", pages, len(page), err)
			}
			_, _, _ = l.Find("own 3")
			if _, err := l.Append(fill(100)); err == nil {
				t.Errorf("%d pages: an append works", pages)
			}
			if page, err := l.Read(495, 1<<20); err != nil || len(page) != 5 {
				t.Errorf("%d pages: %d events and %v are read from memory", pages, len(page), err)
			}
		}
		if err := l.Close(); err == nil {
			t.Errorf("%d pages: close does not tell that the file stays locked", pages)
		}
	}
}
