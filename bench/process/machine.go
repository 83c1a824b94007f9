//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Machine is what all processors of the machine have done since it started, in ticks of the clock.
type Machine struct {
	// Busy is time spent on work, and Stolen time in which there was work and a processor was given to another machine.
	Busy, Stolen int64
}

// ReadMachine reads the first line of /proc/stat; see proc_stat(5). A machine that is not virtual has nothing stolen.
func ReadMachine() (Machine, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, fmt.Errorf("read what the machine does: %w", err)
	}
	return parseMachine(text)
}

func parseMachine(text []byte) (Machine, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return Machine{}, fmt.Errorf("%w: %.100q", ErrStat, line)
	}
	var m Machine
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		switch {
		case err != nil:
			return Machine{}, fmt.Errorf("%w: %.100q", ErrStat, line)
		case i == 7:
			m.Stolen = n
		case i != 3 && i != 4: // idle, or waiting for a disk
			m.Busy += n
		}
	}
	return m, nil
}

// Taken is the share of the processor time asked for since an earlier reading that went to other machines.
func (m Machine) Taken(since Machine) float64 {
	stolen, busy := m.Stolen-since.Stolen, m.Busy-since.Busy
	if stolen <= 0 {
		return 0
	}
	return float64(stolen) / float64(stolen+busy)
}
