//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrStat is wrapped when a file of /proc cannot be understood.
var ErrStat = errors.New("malformed process status")

// Usage is what a process, or several together, have used.
type Usage struct {
	CPU     time.Duration // user and system time since the start
	RSS     int64         // bytes
	Threads int
}

// ReadUsage adds up the usage of processes.
func ReadUsage(pids ...int) (Usage, error) {
	var sum Usage
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return Usage{}, fmt.Errorf("read the usage of process %d: %w", pid, err)
		}
		u, err := parseStat(text)
		if err != nil {
			return Usage{}, fmt.Errorf("read the usage of process %d: %w", pid, err)
		}
		cpu, err := readCPU(pid)
		if err != nil {
			return Usage{}, err
		}
		sum.CPU += cpu
		sum.RSS += u.RSS
		sum.Threads += u.Threads
	}
	return sum, nil
}

// readCPU returns a process's user and system time, the sum of utime and stime in /proc/PID/stat, from its
// clock, which counts nanoseconds where the file counts ticks of 10 ms. The clock's id is made from the
// process id as clock_getcpuclockid(3) does.
func readCPU(pid int) (time.Duration, error) {
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// parseStat reads the fields of proc_pid_stat(5). They are counted behind the command, which stands in
// parentheses and may hold anything.
func parseStat(text []byte) (Usage, error) {
	i := bytes.LastIndexByte(text, ')')
	fields := bytes.Fields(text[i+1:])
	if i < 0 || len(fields) < 22 {
		return Usage{}, fmt.Errorf("%w: %.100q", ErrStat, text)
	}
	number := func(field int) int64 { // numbered from 1, the command being the second
		n, err := strconv.ParseInt(string(fields[field-3]), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return Usage{
		RSS:     number(24) * int64(os.Getpagesize()),
		Threads: int(number(20)),
	}, nil
}

// CountFiles returns how many file descriptors processes have open.
func CountFiles(pids ...int) (int, error) {
	sum := 0
	for _, pid := range pids {
		dir, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return 0, fmt.Errorf("count the files of process %d: %w", pid, err)
		}
		names, err := dir.Readdirnames(-1)
		if err := errors.Join(err, dir.Close()); err != nil {
			return 0, fmt.Errorf("count the files of process %d: %w", pid, err)
		}
		sum += len(names)
	}
	return sum, nil
}

// PeakRSS returns the greatest resident memory of processes since ResetPeak, in bytes.
func PeakRSS(pids ...int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, fmt.Errorf("read the peak memory of process %d: %w", pid, err)
		}
		_, rest, found := bytes.Cut(text, []byte("VmHWM:"))
		fields := bytes.Fields(rest)
		if !found || len(fields) == 0 {
			return 0, fmt.Errorf("read the peak memory of process %d: %w", pid, ErrStat)
		}
		kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the peak memory of process %d: %w", pid, err)
		}
		sum += kib << 10
	}
	return sum, nil
}

// ResetPeak makes PeakRSS begin anew, as proc_pid_clear_refs(5) describes.
func ResetPeak(pids ...int) error {
	for _, pid := range pids {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
			return fmt.Errorf("reset the peak memory of process %d: %w", pid, err)
		}
	}
	return nil
}

// Children returns a process and all that it has started, directly or not.
func Children(pid int) ([]int, error) {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		// The kernel lists children by the thread that started them.
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[i]))
		if err != nil || len(lists) == 0 && i == 0 {
			return nil, fmt.Errorf("list the children of process %d: %w", pid, fs.ErrNotExist)
		}
		for _, list := range lists {
			if pids, err = appendPIDs(pids, list); err != nil {
				return nil, fmt.Errorf("list the children of process %d: %w", pids[i], err)
			}
		}
	}
	return pids, nil
}

// appendPIDs reads a list of process ids. A thread that has ended meanwhile has none.
func appendPIDs(pids []int, list string) ([]int, error) {
	text, err := os.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return pids, nil
	}
	if err != nil {
		return pids, err
	}
	for _, field := range bytes.Fields(text) {
		child, err := strconv.Atoi(string(field))
		if err != nil {
			return pids, ErrStat
		}
		pids = append(pids, child)
	}
	return pids, nil
}
