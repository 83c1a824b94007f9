//go:build linux

package descriptors

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// table is the size of the process's table, and how many descriptors are open.
func table(t *testing.T) (size, open int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("FDSize:"))
	line, _, _ := strings.Cut(string(rest), "\n")
	if size, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return size, len(list)
}

func TestReserve(t *testing.T) {
	before, open := table(t)
	want := 4 * before
	if err := Reserve(want); err != nil {
		t.Fatal(err)
	}
	if size, now := table(t); size < want || now != open {
		t.Errorf("the table has room for %d, want %d; %d descriptors are open, want %d", size, want, now, open)
	}
}

// More than the process may have is no error.
func TestReserveUpToTheLimit(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = min(limit.Cur, 2048)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
	if err := Reserve(1 << 20); err != nil {
		t.Fatal(err)
	}
	if size, _ := table(t); size < int(few.Cur) {
		t.Errorf("the table has room for %d, want %d", size, few.Cur)
	}
}
