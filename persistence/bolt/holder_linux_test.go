package bolt

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestLockHolder(t *testing.T) {
	t.Parallel()
	const locks = `1: POSIX  ADVISORY  WRITE 101 fe:01:42 0 EOF
2: FLOCK  ADVISORY  WRITE 102 fe:01:142 0 EOF
3: FLOCK  ADVISORY  READ 103 fe:01:42 0 EOF
4: FLOCK  ADVISORY  WRITE 104 fe:01:42 0 EOF
4: -> FLOCK  ADVISORY  WRITE 105 fe:01:42 0 EOF
5: FLOCK  ADVISORY  WRITE 106 fe:01:7 0 EOF
6: FLOCK  ADVISORY  WRITE 107 fe:02:7 0 EOF
7: FLOCK  ADVISORY  WRITE 0 fe:02:8 0 EOF
8: FLOCK
`
	for inode, want := range map[uint64]string{42: " (process 104)", 142: " (process 102)", 7: "", 8: "", 2: ""} {
		if got := lockHolder(locks, inode); got != want {
			t.Errorf("the holder of %d is %q, want %q", inode, got, want)
		}
	}
}

func TestOpenHeldSaysByWhom(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/locks"); err != nil {
		t.Skip(err)
	}
	l := newLog(t, Options{})
	_, err := Open(Options{Path: l.path})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("(process %d)", os.Getpid())) {
		t.Errorf("the error is %q, want it to name process %d", err, os.Getpid())
	}
}
