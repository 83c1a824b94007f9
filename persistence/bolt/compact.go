package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"hubd/persistence"
)

// compactTx is how many bytes are copied in one transaction.
const compactTx = 8 << 20

// Compact rewrites the file of a store without its free pages and without records that are out of the
// history, and returns its length before and after. Everything else is kept: keys, ids, positions.
//
// The new file is made beside the old one and takes its place, owner and mode once it is on the disk, in
// one step: a crash leaves the one or the other, and perhaps a file whose name ends in ".compact". The
// error wraps persistence.ErrHeld while a hub has the file open, and persistence.ErrCorrupt if a page
// is not sound; then nothing is changed. Records that cannot be read are kept as they are.
func Compact(path string) (before, after int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("compact bolt store %s: %w", path, advised(err, path))
		}
	}()
	// The file itself is to be replaced, not a link to it.
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return 0, 0, err
	}
	fresh, err := examineFile(path)
	if err != nil {
		return 0, 0, err
	}
	if fresh {
		return 0, 0, nil
	}
	// Until the new file is in place nobody may write to the old one; see openFile for who waits.
	err = shared(path, DefaultLockTimeout, func(db *bbolt.DB, f *os.File) error {
		before, after, err = compact(path, db, f)
		return err
	})
	return before, after, err
}

func compact(path string, db *bbolt.DB, f *os.File) (before, after int64, err error) {
	m, err := sizedMeta(f)
	if err != nil {
		return 0, 0, err
	}
	c, err := inspect(f, m)
	if err != nil {
		return 0, 0, err
	}
	info, err := f.Stat()
	if err != nil || c.fresh {
		return info.Size(), info.Size(), err
	}
	temporary := path + ".compact"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, 0, err
	}
	err = copyStore(temporary, db, c)
	if err == nil {
		after, err = finish(temporary, info)
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return 0, 0, errors.Join(err, removeIfThere(temporary))
	}
	return info.Size(), after, syncDir(filepath.Dir(path))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// copyStore makes a file with what the store keeps.
func copyStore(path string, db *bbolt.DB, c contents) error {
	to, err := bbolt.Open(path, fileMode, &bbolt.Options{
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true, NoSync: true, NoGrowSync: true,
	})
	if err != nil {
		return err
	}
	copying := func() error {
		for _, name := range []string{eventsBucket, idsBucket, metaBucket} {
			after := []byte(nil)
			if name != metaBucket {
				after = positionKey(c.header.state.before)
			}
			if err := copyBucket(to, db, name, after); err != nil {
				return err
			}
		}
		if c.size == c.header.state.size && c.header.format == format {
			return nil
		}
		return to.Update(func(tx *bbolt.Tx) error {
			s := c.header.state
			s.size = c.size
			return errors.Join(upgrade(tx), bucket(tx, metaBucket).Put([]byte(stateKey), s.append(nil)))
		})
	}
	return errors.Join(guarded(copying), to.Close())
}

// copyBucket copies the elements with keys after the given one, in transactions of a bounded size.
func copyBucket(to, from *bbolt.DB, name string, after []byte) error {
	err := to.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte(name))
		return err
	})
	for more := true; more && err == nil; {
		err = from.View(func(source *bbolt.Tx) error {
			return to.Update(func(target *bbolt.Tx) error {
				b := bucket(target, name)
				b.FillPercent = 1
				c := bucket(source, name).Cursor()
				key, value := c.Seek(after)
				if bytes.Equal(key, after) && key != nil {
					key, value = c.Next()
				}
				for size := 0; key != nil && size < compactTx; key, value = c.Next() {
					if err := b.Put(key, value); err != nil {
						return err
					}
					size += len(key) + len(value)
					after = bytes.Clone(key)
				}
				more = key != nil
				return nil
			})
		})
	}
	return err
}

// finish cuts off what bbolt has reserved, makes the file as accessible as the old one, and syncs it.
func finish(path string, old os.FileInfo) (length int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m, err := readMeta(f)
	if err != nil {
		return 0, err
	}
	length = int64(m.pages) * int64(m.pageSize)
	if err := f.Truncate(length); err != nil {
		return 0, err
	}
	if err := f.Chmod(old.Mode().Perm()); err != nil {
		return 0, err
	}
	if err := keepOwner(f, old); err != nil {
		return 0, fmt.Errorf("give the new file the owner of the old one: %w", err)
	}
	if _, err := inspect(f, m); err != nil {
		return 0, fmt.Errorf("%w; the new file is not used", errors.Join(persistence.ErrCorrupt, err))
	}
	return length, f.Sync()
}
