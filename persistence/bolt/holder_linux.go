package bolt

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// holder tells which process has the file locked, for the person who is to end it, or returns "" where the
// kernel does not say: processes outside a container are not seen from within.
func holder(path string) string {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	return lockHolder(string(locks), st.Ino)
}

// lockHolder looks the inode up in the text of /proc/locks (proc_locks(5)), whose lines are like
//
//	7: FLOCK  ADVISORY  WRITE 4321 fe:01:1835034 0 EOF
//
// Some file systems show another device there than to stat, so the inode alone has to be unique.
func lockHolder(locks string, inode uint64) string {
	suffix, pid := fmt.Sprintf(":%d", inode), ""
	for line := range strings.Lines(locks) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[3] != "WRITE" || !strings.HasSuffix(f[5], suffix) {
			continue
		}
		if pid != "" || f[4] == "0" || strings.HasPrefix(f[4], "-") {
			return ""
		}
		pid = f[4]
	}
	if pid == "" {
		return ""
	}
	return " (process " + pid + ")"
}
