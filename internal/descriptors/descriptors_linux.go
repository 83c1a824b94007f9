package descriptors

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Reserve makes room for n descriptors, or for as many as the process may have if that is fewer. Each takes 8 bytes of the
// kernel's memory.
func Reserve(n int) (err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("making room for descriptors: %w", os.NewSyscallError("getrlimit", err))
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("making room for descriptors: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	highest := min(uint64(n), limit.Cur) - 1
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, int(highest))
	if err != nil {
		return fmt.Errorf("making room for descriptors: %w", os.NewSyscallError("fcntl", err))
	}
	return os.NewSyscallError("close", unix.Close(fd))
}
