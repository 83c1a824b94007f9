package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"hubd/persistence"
)

// Check tells whether Open could use the file at the path: nil if it is a hub's store or does not
// exist yet in a directory that does. It changes nothing and holds no lock when it returns. Errors
// wrap persistence.ErrNotHubStore, ErrCorrupt, or ErrHeld if another process has the store open, which
// for a running hub is as it should be.
func Check(path string) error {
	fresh, err := examineFile(path)
	if err == nil && !fresh {
		err = examineContent(path, DefaultLockTimeout, false)
	}
	if err != nil {
		return fmt.Errorf("check bolt store %s: %w", path, err)
	}
	return nil
}

// examineFile looks at the file without bbolt, which would map a truncated file and die of it, or lay
// itself out in a file that is not its own. It returns true if there is no content yet.
func examineFile(path string) (fresh bool, err error) {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return false, fmt.Errorf("directory %s does not exist; create it or choose another path", dir)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%w: it is not a regular file", persistence.ErrNotHubStore)
	}
	if info.Size() == 0 {
		return true, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	m, err := readMeta(f)
	if err != nil {
		return false, err
	}
	// The size after the meta page: a writer grows the file before it says so.
	if info, err = f.Stat(); err != nil {
		return false, err
	}
	if want := m.pages * uint64(m.pageSize); uint64(info.Size()) < want {
		return false, fmt.Errorf("%w: the file has %d bytes of %d, it was cut off; restore it from a backup",
			persistence.ErrCorrupt, info.Size(), want)
	}
	return false, nil
}

// boltMeta is what a valid meta page of bbolt says. The layout has not changed since bbolt's version
// 2 of 2014: a page header of 16 bytes, then the fields in the machine's byte order.
type boltMeta struct {
	pageSize uint32
	pages    uint64 // the file's pages in use are below this number
	txid     uint64
}

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	metaStart   = 16
	metaSum     = 56 // where the checksum is, and how much it covers
	metaLen     = metaSum + 8
)

func parseMeta(page []byte) (m boltMeta, ok bool) {
	if len(page) < metaStart+metaLen {
		return m, false
	}
	b, order := page[metaStart:metaStart+metaLen], binary.NativeEndian
	sum := fnv.New64a()
	sum.Write(b[:metaSum])
	if order.Uint32(b) != boltMagic || order.Uint32(b[4:]) != boltVersion || order.Uint64(b[metaSum:]) != sum.Sum64() {
		return m, false
	}
	m = boltMeta{pageSize: order.Uint32(b[8:]), pages: order.Uint64(b[40:]), txid: order.Uint64(b[48:])}
	return m, m.pageSize >= 512 && m.pages < 1<<40
}

// readMeta returns the meta page that bbolt would go by: the valid one of the later transaction. The
// second page's place depends on the page size; all sizes that bbolt tries are tried.
func readMeta(f io.ReaderAt) (boltMeta, error) {
	var best boltMeta
	found := false
	try := func(at int64) {
		var page [metaStart + metaLen]byte
		if n, _ := f.ReadAt(page[:], at); n < len(page) {
			return
		}
		if m, ok := parseMeta(page[:]); ok && (!found || m.txid > best.txid) {
			best, found = m, true
		}
	}
	try(0)
	if found {
		try(int64(best.pageSize))
		return best, nil
	}
	for size := int64(1 << 10); size <= 16<<20 && !found; size <<= 1 {
		try(size)
	}
	if !found {
		return best, fmt.Errorf("%w: it is not a bbolt file", persistence.ErrNotHubStore)
	}
	return best, nil
}

// examineContent opens the file read-only and tells whether it is a store of ours. With walk it also
// visits every record, here, where a panic about a broken page can be caught: bbolt reads all pages
// when it opens a file for writing, but on a goroutine of its own.
func examineContent(path string, lockTimeout time.Duration, walk bool) (err error) {
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{ReadOnly: true, Timeout: lockTimeout})
	if err != nil {
		return openError(path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			fresh, err := checkFormat(tx)
			if err != nil || fresh || !walk {
				return err
			}
			return walkRecords(tx)
		})
	})
}

// walkRecords visits every page of the buckets and checks that the records follow one another up to
// the head.
func walkRecords(tx *bbolt.Tx) error {
	s, err := loadState(tx)
	if err != nil {
		return err
	}
	runs := bucket(tx, idsBucket).Cursor()
	for key, _ := runs.First(); key != nil; key, _ = runs.Next() {
		if _, err := keyPosition(key); err != nil {
			return err
		}
	}
	c := bucket(tx, eventsBucket).Cursor()
	key, value := c.First()
	previous := s.before
	if key != nil {
		first, err := keyPosition(key)
		if err != nil {
			return err
		}
		if first > s.before+1 || first == 0 {
			return fmt.Errorf("%w: the records begin at position %d, the history after %d", persistence.ErrCorrupt, first, s.before)
		}
		previous = first - 1
	}
	for ; key != nil; key, value = c.Next() {
		position, err := keyPosition(key)
		if err != nil {
			return err
		}
		if position != previous+1 {
			return fmt.Errorf("%w: record %d follows record %d", persistence.ErrCorrupt, position, previous)
		}
		if _, err := parseRecord(value); err != nil {
			return fmt.Errorf("record %d: %w", position, err)
		}
		previous = position
	}
	if previous != s.head {
		return fmt.Errorf("%w: the records end at position %d, the history at %d", persistence.ErrCorrupt, previous, s.head)
	}
	return nil
}

// openFile opens the file for writing. If bbolt finds a fault that examineContent has not, it panics
// and the file stays locked until the process ends.
func openFile(o Options) (db *bbolt.DB, err error) {
	err = guarded(func() error {
		db, err = bbolt.Open(o.Path, fileMode, &bbolt.Options{
			Timeout:        o.LockTimeout,
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
			NoStatistics:   true,
			NoSync:         o.noSync,
			OpenFile:       o.openFile,
		})
		return openError(o.Path, err)
	})
	return db, err
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w%s; stop that process or choose another path", persistence.ErrHeld, holder(path))
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return fmt.Errorf("%w: %w", persistence.ErrNotHubStore, err)
	}
	return err
}

// guarded runs fn, which reads from a mapped file, and turns what a damaged file can do to that, a
// failed assertion of bbolt or a fault of the mapping, into an error that wraps ErrCorrupt.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", persistence.ErrCorrupt, r)
		}
	}()
	return fn()
}

// warm reads the file once from start to end. bbolt is about to visit every page through a mapping
// without read-ahead, which on a cold disk is far slower.
func warm(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Read(buf)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
