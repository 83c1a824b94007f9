package bolt

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"hubd/persistence"
)

// Verification is what Verify has found out about a store.
type Verification struct {
	// Format is the version of the file's layout.
	Format uint32
	// Events is how many events are retained by the store's own account, Oldest and Newest their first
	// and last positions, and OldestTime and NewestTime when they were stored, zero if that cannot be read.
	Events, Oldest, Newest uint64
	OldestTime, NewestTime time.Time
	// Bytes is the size of the retained events; see persistence.Size.
	Bytes uint64
	// FileBytes is the length of the file, Pages how many pages of it are in use or free to be used again,
	// and FreePages how many of those are free.
	FileBytes        int64
	Pages, FreePages uint64
	// Problems is how many problems there are.
	Problems int
}

// Verify looks at everything in the file of a store: that every page is sound, by bbolt's own check too;
// that positions follow one another and every record can be read; that ids, the index of ids and the
// state agree with the records. It tells problem of each thing that is wrong and goes on where it can.
//
// It changes nothing. The error is for a file that cannot be looked at or is no store; it wraps
// persistence.ErrHeld while a hub has the file open.
func Verify(path string, problem func(error)) (Verification, error) {
	v := verifier{problem: problem}
	fresh, err := examineFile(path)
	switch {
	case errors.Is(err, persistence.ErrCorrupt): // cut off; some of it may be in order
	case err != nil:
		return v.Verification, fmt.Errorf("verify bolt store %s: %w", path, err)
	case fresh:
		if _, err := os.Stat(path); err != nil {
			return v.Verification, fmt.Errorf("verify bolt store: %w", err)
		}
		return v.Verification, nil
	}
	if err := shared(path, DefaultLockTimeout, v.run); err != nil {
		return v.Verification, fmt.Errorf("verify bolt store %s: %w", path, err)
	}
	return v.Verification, nil
}

// verifier is one run of Verify.
type verifier struct {
	Verification
	problem func(error)

	tree     *tree
	header   header
	cipher   *persistence.IDCipher
	digester digester
	pairs    []pair // of the runs, by position
	noIndex  bool   // runs are out of reach
	sequence sequence
	lastID   string // of the record at the head
	size     uint64 // of the records that can be read
	unread   bool   // there are some that cannot
}

func (v *verifier) found(err error) {
	v.Problems++
	v.problem(err)
}

// run looks at the file in the order in which one part needs the other.
func (v *verifier) run(db *bbolt.DB, f *os.File) error {
	m, err := sizedMeta(f)
	if err != nil {
		v.found(err)
		m, _ = readMeta(f)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	v.FileBytes, v.Pages = info.Size(), m.pages
	m.pages = min(m.pages, uint64(info.Size())/uint64(m.pageSize))
	v.tree = newTree(f, m)
	h, roots, fresh, err := v.tree.loadHeader()
	switch {
	case errors.Is(err, persistence.ErrNotHubStore), errors.Is(err, errNewer):
		return err
	case err != nil:
		v.found(err)
		return nil
	case fresh:
		return nil
	}
	v.header, v.Format = h, h.format
	v.Events, v.Bytes = h.state.head-h.state.before, h.state.size
	if v.Events > 0 {
		v.Oldest, v.Newest = h.state.before+1, h.state.head
	}
	copy(v.digester[:], h.digestKey)
	if v.cipher, err = persistence.NewIDCipher(h.idKey); err != nil {
		return err
	}
	v.checkRuns(roots[idsBucket])
	v.checkRecords(roots[eventsBucket])
	if err := v.tree.checkFreelist(); err != nil {
		v.found(err)
	}
	v.FreePages = v.tree.freePages()
	if v.Problems > 0 {
		return nil // bbolt's check is for pages that it can bear to see
	}
	return guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				v.found(corrupt("%w", err))
			}
			return nil
		})
	})
}

// checkRuns checks the index of ids by itself and keeps its pairs.
func (v *verifier) checkRuns(root bucketRoot) {
	last, previous := uint64(0), uint64(0)
	_ = v.tree.walk(root, walker{
		visit: func(e element) error {
			var err error
			if last, err = keyPosition(e.key); err != nil {
				v.found(fmt.Errorf("index of ids: %w", err))
				return nil
			}
			if len(e.value)%pairLen != 0 {
				v.found(corrupt("index of ids: the run up to %d has %d bytes", last, len(e.value)))
				v.noIndex = true
				return nil
			}
			run := parseRun(e.value)
			outside := slices.ContainsFunc(run, func(p pair) bool { return p.position <= previous || p.position > last })
			if outside || last > v.header.state.indexed || !slices.IsSortedFunc(run, comparePairs) {
				v.found(corrupt("index of ids: the run up to %d is not in order", last))
			}
			previous = last
			v.pairs = append(v.pairs, run...)
			return nil
		},
		lost: func(err error, _, _ []byte) error {
			v.found(fmt.Errorf("index of ids: %w", err))
			v.noIndex = true
			return nil
		},
	})
	slices.SortFunc(v.pairs, func(a, b pair) int { return cmp.Compare(a.position, b.position) })
}

func parseRun(value []byte) []pair {
	run := make([]pair, len(value)/pairLen)
	for i := range run {
		run[i] = pair{binary.BigEndian.Uint64(value[i*pairLen:]), binary.BigEndian.Uint64(value[i*pairLen+8:])}
	}
	return run
}

// checkRecords checks the records, and what is said about them elsewhere.
func (v *verifier) checkRecords(root bucketRoot) {
	v.sequence = sequence{state: v.header.state}
	open := false // the end of the records is out of reach
	_ = v.tree.walk(root, walker{
		visit: func(e element) error {
			position, err := v.sequence.next(e.key)
			if err != nil {
				v.found(err)
				v.unread = true
				if position, err = keyPosition(e.key); err != nil {
					return nil
				}
				v.sequence.skipTo(position)
			}
			v.checkRecord(position, e.value)
			return nil
		},
		lost: func(err error, from, to []byte) error {
			first, end := keyRange(from, to)
			v.found(fmt.Errorf("%s are lost: %w", describeRange(first, end), err))
			v.unread, open = true, end == math.MaxUint64
			if !open {
				v.sequence.skipTo(end - 1)
			}
			return nil
		},
	})
	if !open {
		if err := v.sequence.end(); err != nil {
			v.found(err)
			v.unread = true
		}
	}
	if v.unread {
		return // then the sums cannot be right
	}
	s := v.header.state
	if v.size != s.size {
		v.found(corrupt("the state says that the events have %d bytes, they have %d", s.size, v.size))
	}
	if v.Events > 0 && v.lastID != s.lastID {
		v.found(corrupt("the state says that the newest id is %q, it is %q", s.lastID, v.lastID))
	}
}

// checkRecord checks one record and the pair of its id.
func (v *verifier) checkRecord(position uint64, value []byte) {
	if position <= v.header.state.before {
		return // out of the history, and removed before long
	}
	n, _ := slices.BinarySearchFunc(v.pairs, position, func(p pair, position uint64) int { return cmp.Compare(p.position, position) })
	indexed := n < len(v.pairs) && v.pairs[n].position == position
	r, err := persistence.ParseRecord(position, value)
	if err != nil {
		v.found(fmt.Errorf("record %d: %w", position, err))
		v.unread = true
		return
	}
	v.size += r.Size()
	if position == v.Oldest {
		v.OldestTime = r.Time
	}
	if position == v.Newest {
		v.NewestTime, v.lastID = r.Time, string(r.ID())
	}
	switch {
	case !r.OwnID() && string(r.ID()) != string(v.cipher.Append(nil, position)):
		v.found(corrupt("record %d: its id is not the one that the store made for it", position))
	case v.noIndex:
	case r.OwnID() && position <= v.header.state.indexed && !(indexed && v.pairs[n].digest == v.digester.digest(r.ID())):
		v.found(corrupt("record %d: the index of ids does not lead to it", position))
	case !r.OwnID() && indexed:
		v.found(corrupt("record %d: the index of ids leads to it, but its publisher chose no id", position))
	}
}

// skipTo goes on as if the record at the position had been there.
func (s *sequence) skipTo(position uint64) { s.begun, s.previous = true, position }

// keyRange turns bounds of keys into the first position and the one after the last.
func keyRange(from, to []byte) (first, end uint64) {
	end = math.MaxUint64
	if position, err := keyPosition(from); err == nil {
		first = position
	}
	if position, err := keyPosition(to); err == nil {
		end = position
	}
	return first, end
}

func describeRange(first, end uint64) string {
	switch {
	case first <= 1 && end == math.MaxUint64:
		return "all records"
	case end == math.MaxUint64:
		return fmt.Sprintf("records from %d on", first)
	}
	return fmt.Sprintf("records %d to %d", first, end-1)
}
