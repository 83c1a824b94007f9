package main

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The limit of the process is one for all tests, so this one runs alone.
func TestMemoryLimitFollowsTheContainer(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	tests := map[string]struct {
		environ  string
		provider memlimit.Provider
		want     int64
	}{
		"container":    {"", func() (uint64, error) { return 1000 << 20, nil }, 900 << 20},
		"no container": {"", func() (uint64, error) { return 0, errors.New("no cgroup") }, before},
		"GOMEMLIMIT":   {"1GiB", func() (uint64, error) { return 1000 << 20, nil }, before},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.environ != "" {
				t.Setenv("GOMEMLIMIT", test.environ)
			}
			undo := limitMemory(test.provider, slog.New(slog.DiscardHandler))
			if got := debug.SetMemoryLimit(-1); got != test.want {
				t.Errorf("limit %d, want %d", got, test.want)
			}
			undo()
			if got := debug.SetMemoryLimit(-1); got != before {
				t.Errorf("afterwards the limit is %d, want %d", got, before)
			}
		})
	}
}
