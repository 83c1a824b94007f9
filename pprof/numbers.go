package pprof

import (
	"math"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// Numbers are what the hub counts of itself. Totals only grow; when one falls, because the hub began anew in this
// process, the rate is taken to be 0.
type Numbers struct {
	// Streams are open now; Connections are all to the hub's address, streams included.
	Streams, Connections int64
	// Published and Delivered are totals of updates: stored, and written to streams.
	Published, Delivered uint64
	// QueueBytes wait for streams, CatchingUp streams read history, Lag updates wait for the fan-out.
	QueueBytes, CatchingUp, Lag int64
	// Commits and CommitTime are the number of commits to the store and the time that they took together.
	Commits    uint64
	CommitTime time.Duration
}

// reading is one look at the hub and the process.
type reading struct {
	Numbers
	at time.Time
	// heap is what objects take, garbage included, and live what the last collection found in use.
	heap, live float64
	goroutines float64
	// rss is NaN where the system does not tell.
	rss float64
	// pauses counts the stops for garbage collection by length; bounds are its limits in seconds.
	pauses []uint64
	bounds []float64
}

// Indexes of what a process reads of its runtime.
const (
	readHeap = iota
	readLive
	readGoroutines
	readPauses
)

// process reads the runtime. It is used by one goroutine.
type process struct {
	samples []metrics.Sample
	// statm tells the resident pages, on Linux.
	statm string
}

func newProcess() *process {
	p := &process{samples: make([]metrics.Sample, readPauses+1), statm: "/proc/self/statm"}
	p.samples[readHeap].Name = "/memory/classes/heap/objects:bytes"
	p.samples[readLive].Name = "/gc/heap/live:bytes"
	p.samples[readGoroutines].Name = "/sched/goroutines:goroutines"
	p.samples[readPauses].Name = "/sched/pauses/total/gc:seconds"
	return p
}

// read looks at the process at a time.
func (p *process) read(at time.Time, n Numbers) *reading {
	metrics.Read(p.samples)
	r := &reading{Numbers: n, at: at, heap: p.number(readHeap), live: p.number(readLive), goroutines: p.number(readGoroutines), rss: p.resident()}
	if v := p.samples[readPauses].Value; v.Kind() == metrics.KindFloat64Histogram {
		h := v.Float64Histogram()
		// The runtime may use the memory of both again at the next read.
		r.pauses, r.bounds = append([]uint64(nil), h.Counts...), append([]float64(nil), h.Buckets...)
	}
	return r
}

// number is NaN for what this runtime does not measure.
func (p *process) number(i int) float64 {
	if v := p.samples[i].Value; v.Kind() == metrics.KindUint64 {
		return float64(v.Uint64())
	}
	return math.NaN()
}

// resident returns the resident set in bytes (proc_pid_statm(5), second field, in pages).
func (p *process) resident() float64 {
	content, err := os.ReadFile(p.statm)
	if err != nil {
		return math.NaN()
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return math.NaN()
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return math.NaN()
	}
	return float64(pages) * float64(os.Getpagesize())
}

// longestPause returns the longest stop between two readings in seconds, to the limit of its bucket; 0 if there was none.
func longestPause(before, after *reading) float64 {
	if len(before.pauses) != len(after.pauses) {
		return 0
	}
	for i := len(after.pauses) - 1; i >= 0; i-- {
		if after.pauses[i] == before.pauses[i] {
			continue
		}
		if limit := after.bounds[i+1]; !math.IsInf(limit, 1) {
			return limit
		}
		return after.bounds[i]
	}
	return 0
}
