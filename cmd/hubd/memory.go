package main

import (
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is the part of a container's memory that Go's heap may take; near it garbage is collected more often. The
// rest is for what is not heap: sockets, and pages of the store's file.
const memoryShare = 0.9

// limitMemory makes the runtime respect the memory limit of the container that the process runs in, if there is one:
// without it the heap may grow past it between two collections, and the kernel ends the process. GOMEMLIMIT, if set,
// counts instead. What was set before comes back with undo.
func limitMemory(provider memlimit.Provider, logger *slog.Logger) (undo func()) {
	before := debug.SetMemoryLimit(-1)
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare), memlimit.WithProvider(provider))
	switch {
	case err != nil:
		// The hub runs as well as it would have without asking.
		logger.Debug("the container's memory limit is not known", slog.Any("error", err))
	case limit < math.MaxInt64:
		logger.Info("memory limit", slog.Int64("bytes", limit))
	}
	return func() { debug.SetMemoryLimit(before) }
}
