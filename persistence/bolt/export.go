package bolt

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"hubd/mercure"
	"hubd/persistence"
)

// Entry is an update as a store has it.
type Entry struct {
	// Position is its place in the log and Time when it was stored.
	Position uint64
	Time     time.Time
	// Update always has its id, whether the publisher chose it or the hub.
	Update mercure.Update
}

// Exported is how Export went.
type Exported struct {
	// Entries is how many updates were exported, and Lost how many more there should be, if that is known.
	Entries, Lost uint64
}

// Export passes the retained updates to entry, in order. Of a damaged file it passes what can be read: it
// goes round pages that are not sound, and searches all others for records that were out of reach behind
// them. It tells problem of everything that it could not read. An error that entry returns ends it.
//
// It changes nothing. The error wraps persistence.ErrHeld while a hub has the file open.
func Export(path string, entry func(Entry) error, problem func(error)) (Exported, error) {
	x := exporter{entry: entry, problem: problem}
	begun := false
	err := shared(path, DefaultLockTimeout, func(_ *bbolt.DB, f *os.File) error {
		begun = true
		return x.run(f)
	})
	if err != nil && !begun && !errors.Is(err, persistence.ErrHeld) {
		// What bbolt does not open, no hub writes to.
		var f *os.File
		if f, err = os.Open(path); err == nil {
			err = errors.Join(x.run(f), f.Close())
		}
	}
	if err != nil {
		return x.Exported, fmt.Errorf("export bolt store %s: %w", path, err)
	}
	return x.Exported, nil
}

// exporter is one run of Export.
type exporter struct {
	Exported
	entry   func(Entry) error
	problem func(error)

	state  state
	strays strays
}

func (x *exporter) run(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", persistence.ErrNotHubStore)
	}
	meta, err := readMeta(f)
	if err != nil {
		x.problem(fmt.Errorf("%w: the whole file is searched for records, also for those that retention had removed", err))
		return x.salvageAll(f, guessPageSize(f, info.Size()))
	}
	meta.pages = min(meta.pages, uint64(info.Size())/uint64(meta.pageSize))
	t := newTree(f, meta)
	h, roots, fresh, err := t.loadHeader()
	if fresh {
		return nil
	}
	_, found := roots[eventsBucket]
	if errors.Is(err, errNewer) || errors.Is(err, persistence.ErrNotHubStore) && !found {
		return err
	}
	if err != nil {
		x.problem(fmt.Errorf("%w: the whole file is searched for records, also for those that retention had removed", err))
		return x.salvageAll(f, meta.pageSize)
	}
	x.state = h.state

	var gaps []span
	_ = t.walk(roots[eventsBucket], walker{
		visit: func(element) error { return nil },
		lost: func(_ error, from, to []byte) error {
			first, end := keyRange(from, to)
			gaps = append(gaps, span{max(first, h.state.before+1), min(end, h.state.head+1)})
			return nil
		},
	})
	if len(gaps) > 0 {
		if x.strays, err = findStrays(f, meta.pageSize, gaps); err != nil {
			return err
		}
	}
	if err := newTree(f, meta).walk(roots[eventsBucket], walker{visit: x.record, lost: x.salvage}); err != nil {
		return err
	}
	x.Lost = max(h.state.head-h.state.before, x.Entries) - x.Entries
	return nil
}

// record exports the record of an element, unless retention has taken it out of the history.
func (x *exporter) record(e element) error {
	position, err := keyPosition(e.key)
	if err != nil {
		x.problem(err)
		return nil
	}
	if position <= x.state.before {
		return nil
	}
	return x.export(position, e.value)
}

func (x *exporter) export(position uint64, value []byte) error {
	r, err := persistence.ParseRecord(position, value)
	if err != nil {
		x.problem(fmt.Errorf("record %d: %w", position, err))
		return nil
	}
	x.Entries++
	return x.entry(Entry{Position: position, Time: r.Time, Update: updateOf(&r)})
}

// salvage exports what was found elsewhere of the records behind a page that cannot be used.
func (x *exporter) salvage(err error, from, to []byte) error {
	first, end := keyRange(from, to)
	first, end = max(first, x.state.before+1), min(end, x.state.head+1)
	if first >= end {
		return nil
	}
	found := x.strays.within(first, end)
	x.problem(fmt.Errorf("%s are out of reach: %w: %d of them were found by a search", describeRange(first, end), err, len(found)))
	return x.exportStrays(found)
}

func (x *exporter) exportStrays(found []stray) error {
	for _, s := range found {
		value := make([]byte, s.length)
		if _, err := x.strays.file.ReadAt(value, s.offset); err != nil {
			x.problem(fmt.Errorf("record %d: %w", s.position, err))
			continue
		}
		if err := x.export(s.position, value); err != nil {
			return err
		}
	}
	return nil
}

// salvageAll exports every record that is anywhere in the file.
func (x *exporter) salvageAll(f *os.File, pageSize uint32) (err error) {
	if x.strays, err = findStrays(f, pageSize, []span{everything}); err != nil {
		return err
	}
	return x.exportStrays(x.strays.within(everything.first, everything.end))
}

// updateOf returns the update that the record's event was made of, with the id that it got.
func updateOf(r *persistence.Record) mercure.Update {
	u := mercure.Update{ID: string(r.ID()), Topics: r.Topics(), Private: r.Private()}
	var data []string
	for line := range bytes.Lines(r.Fields()) {
		name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ": ")
		switch name {
		case "event":
			u.Type = value
		case "retry":
			u.Retry = value
		case "data":
			data = append(data, value)
		}
	}
	u.Data = strings.Join(data, "\n")
	return u
}

// span is a range of positions, from first on and before end.
type span struct{ first, end uint64 }

// stray is a record that was found by a search, and where.
type stray struct {
	position uint64
	offset   int64
	length   int
	time     time.Time
}

// strays are those of a file, by position.
type strays struct {
	file  *os.File
	found []stray
}

func (s *strays) within(first, end uint64) []stray {
	at := func(position uint64) int {
		i, _ := slices.BinarySearchFunc(s.found, position, func(x stray, p uint64) int { return cmp.Compare(x.position, p) })
		return i
	}
	return s.found[at(first):at(end)]
}
