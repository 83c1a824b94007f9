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
	if _, err := examine(path, DefaultLockTimeout, false); err != nil {
		return fmt.Errorf("check bolt store %s: %w", path, advised(err, path))
	}
	return nil
}

// advised adds to an error about the content of a file what there is to do.
func advised(err error, path string) error {
	if !errors.Is(err, persistence.ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w; restore it from a backup, or see what is wrong with \"hubd store verify %s\" and save what can be read with \"hubd store export %s\"", err, path, path)
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
	_, err = sizedMeta(f)
	return false, err
}

// sizedMeta returns the meta page of a file that is as long as it says.
func sizedMeta(f *os.File) (boltMeta, error) {
	m, err := readMeta(f)
	if err != nil {
		return m, err
	}
	// The size after the meta page: a writer grows the file before it says so.
	info, err := f.Stat()
	if err != nil {
		return m, err
	}
	if want := m.pages * uint64(m.pageSize); uint64(info.Size()) < want {
		return m, fmt.Errorf("%w: the file has %d bytes of %d, it was cut off", persistence.ErrCorrupt, info.Size(), want)
	}
	return m, nil
}

// boltMeta is what a valid meta page of bbolt says. The layout has not changed since bbolt's version
// 2 of 2014: a page header of 16 bytes, then the fields in the machine's byte order.
type boltMeta struct {
	pageSize uint32
	root     uint64 // page of the bucket of buckets
	freelist uint64 // page of the list of free pages, or noFreelist
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
	m = boltMeta{
		pageSize: order.Uint32(b[8:]), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]),
		pages: order.Uint64(b[40:]), txid: order.Uint64(b[48:]),
	}
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
		return best, fmt.Errorf("%w: it is not a bbolt file; choose another path, or if it was a store, save what can be read with \"hubd store export\"", persistence.ErrNotHubStore)
	}
	return best, nil
}

// examine looks at a file and changes nothing. With all it visits every page and every record; without,
// it tells only whether the file is a store of ours.
func examine(path string, lockTimeout time.Duration, all bool) (contents, error) {
	fresh, err := examineFile(path)
	if err != nil || fresh {
		return contents{fresh: fresh}, err
	}
	var c contents
	err = shared(path, lockTimeout, func(_ *bbolt.DB, f *os.File) error {
		m, err := sizedMeta(f)
		if err != nil {
			return err
		}
		if !all {
			_, _, _, err = newTree(f, m).loadHeader()
			return err
		}
		if err = warm(f); err != nil {
			return err
		}
		c, err = inspect(f, m)
		return err
	})
	return c, err
}

// shared runs fn while no process can write to the file. bbolt lends its lock; what its database shows is
// to be believed only once the pages were found to be sound.
func shared(path string, lockTimeout time.Duration, fn func(*bbolt.DB, *os.File) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var db *bbolt.DB
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, fileMode, &bbolt.Options{ReadOnly: true, Timeout: lockTimeout})
		return openError(path, err)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return fn(db, f)
}

// errReplaced tells that the path has got another file than the one that was opened. It passes with time,
// as a lock does.
var errReplaced = fmt.Errorf("%w: the file was replaced while it was opened", persistence.ErrHeld)

// openFile opens the file for writing. It was examined before: a fault that bbolt finds would leave the
// file locked until the process ends, and some faults would end the process.
func openFile(o Options) (db *bbolt.DB, err error) {
	open := o.openFile
	if open == nil {
		open = os.OpenFile
	}
	var opened fs.FileInfo
	err = guarded(func() error {
		db, err = bbolt.Open(o.Path, fileMode, &bbolt.Options{
			Timeout:        o.LockTimeout,
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
			NoStatistics:   true,
			NoSync:         o.noSync,
			OpenFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
				f, err := open(name, flag, mode)
				if err == nil {
					opened, err = f.Stat()
				}
				return f, err
			},
		})
		return openError(o.Path, err)
	})
	if err != nil {
		return nil, err
	}
	// Who waited for the lock may have got that of a file which Compact has put another in the place of.
	if now, err := os.Stat(o.Path); err != nil || !os.SameFile(now, opened) {
		return nil, errors.Join(errReplaced, db.Close())
	}
	return db, nil
}

// dropTorso empties a file that was empty before it was opened, and that bbolt could not lay itself out in,
// as on a full disk. The next one to open it would take the torso for a store that is damaged.
func dropTorso(path string) {
	if _, err := examineFile(path); errors.Is(err, persistence.ErrCorrupt) || errors.Is(err, persistence.ErrNotHubStore) {
		_ = os.Truncate(path, 0) // the error that led here is the one to report
	}
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
func warm(f *os.File) error {
	buf := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := f.ReadAt(buf, at)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		at += int64(n)
	}
}
