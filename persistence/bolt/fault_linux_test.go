package bolt

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hubd/persistence"
)

// TestDiskErrors has the kernel refuse the writes of bbolt itself: the open file's descriptor is made to
// stand for one that can only be read. The lock and the mapping stay.
func TestDiskErrors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hub.db")
	var file *os.File
	l, err := Open(Options{
		Path:      path,
		Retention: persistence.Retention{MaxEvents: 700},
		openFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			file = f
			return f, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	fd := int(file.Fd())
	writable, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	defer syscall.Close(writable)

	appendIDs(t, l, "first")
	for round := range uint64(10) {
		before, head := l.Bounds()
		if err := syscall.Dup3(int(readOnly.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := l.Append(fill(50)); err == nil {
				t.Fatal("an append works on a disk that takes no writes")
			}
		}
		if b, h := l.Bounds(); b != before || h != head {
			t.Errorf("bounds are (%d, %d) after the failure, were (%d, %d)", b, h, before, head)
		}
		page, err := l.page(before, 1<<20)
		if err != nil || uint64(len(page)) != head-before {
			t.Errorf("%d events are read and %v, want %d", len(page), err, head-before)
		}
		if err := syscall.Dup3(writable, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		if first, err := l.Append(fill(100)); err != nil || first != head+1 {
			t.Fatalf("append when the disk works again: %d, %v, want %d", first, err, head+1)
		}
		if round < 5 {
			wantFind(t, l, "first", 1)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkFile(t, path)
	l = newLog(t, Options{Path: path})
	if before, head := l.Bounds(); before != 301 || head != 1001 {
		t.Errorf("bounds are (%d, %d) when opened again, want (301, 1001)", before, head)
	}
}
