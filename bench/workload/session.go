//go:build linux

package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"hubd/bench/ledger"
	"hubd/bench/load"
	"hubd/bench/process"
	"hubd/bench/result"
	"hubd/bench/stat"
	"hubd/bench/target"
	"hubd/bench/wire"
)

const (
	// How long a hub may keep a run waiting: until all streams are open, until everything has arrived, until
	// the next event arrives, and until it has let go of closed streams.
	connectLimit = 60 * time.Second
	drainLimit   = 240 * time.Second
	stallLimit   = 15 * time.Second
	leaveLimit   = 30 * time.Second
	// metricsLimit is how long a hub may take to tell of itself.
	metricsLimit = 5 * time.Second
	// sampleEvery is the interval of the memory curve.
	sampleEvery = 200 * time.Millisecond
)

// ErrTargetDied is wrapped when the target ended during a run.
var ErrTargetDied = errors.New("the target has ended")

// session is one run of a workload against a target.
type session struct {
	target *target.Target
	p      result.Params
	r      *result.Result
	clock  load.Clock
	scheme target.Scheme
	stall  time.Duration

	// firstKey is the key of the first group; a session beside another one has keys after its.
	firstKey uint32
	groups   []*ledger.Group
	progress *load.Progress
	faults   ledger.Faults
	latency  stat.Histogram
	slow     stat.Histogram
	scanner  wire.Scanner
	streams  *load.Streams
}

// Run runs a workload once against a target. What went wrong is in the result as well as in the error.
func (w *Workload) Run(ctx context.Context, t *target.Target, p result.Params, run int) (r result.Result, err error) {
	r = result.Result{Workload: w.Name, Target: t.Name, Run: run, Params: p}
	s := &session{target: t, p: p, r: &r, clock: load.NewClock(), stall: cmp.Or(w.stall, stallLimit)}
	var sampler *process.Sampler
	if len(t.PIDs) > 0 {
		sampler = process.NewSampler(sampleEvery, t.PIDs...)
	}
	if len(w.Local) > 0 {
		err = w.run(ctx, s)
	} else {
		err = s.watched(func() error { return w.run(ctx, s) })
	}
	s.disconnects(ctx) // as long as the streams are open
	err = errors.Join(err, s.close())
	if sampler != nil {
		s.memoryCurve(sampler.Stop())
	}
	if t.Died() {
		err = errors.Join(ErrTargetDied, err)
	}
	if err != nil {
		err = fmt.Errorf("%s against %s: %w", w.Name, t.Name, err)
		if ended := r.HubEnded(); ended != "" {
			err = fmt.Errorf("%w; the hub ended streams: %s", err, ended)
		}
		r.Failure = err.Error()
		for _, f := range s.faults.List {
			r.Faults = append(r.Faults, f.String())
		}
	}
	return r, err
}

// watched notes what others take of the machine meanwhile.
func (s *session) watched(run func() error) error {
	before, err := process.ReadMachine()
	if err != nil {
		return err
	}
	failure := run()
	after, err := process.ReadMachine()
	if err == nil {
		s.r.Set(result.Taken, after.Taken(before))
	}
	return errors.Join(failure, err)
}

func (s *session) close() error {
	if s.streams == nil {
		return nil
	}
	return s.streams.Close()
}

// group makes the groups; every one has the same number of lanes.
func (s *session) group(count, lanes int, o ledger.GroupOptions) {
	o.Lanes, o.Payload = lanes, s.p.Payload
	for key := range count {
		o.Key = s.firstKey + uint32(key)
		s.groups = append(s.groups, ledger.NewGroup(o))
	}
	s.progress = load.NewProgress(int(s.firstKey)+count, lanes)
}

// open makes the streams, stream i in group i modulo the number of groups, and leaves them unconnected.
func (s *session) open(count int, change func(o *load.StreamsOptions)) error {
	readers := make([]ledger.Reader, count)
	o := load.StreamsOptions{
		Addrs: s.target.Addrs(), Clock: s.clock, Faults: &s.faults, Progress: s.progress, Concurrency: s.p.Concurrency,
	}
	o.Request = func(b []byte, stream int, lastID []byte) []byte {
		sub := target.Subscription{Scheme: s.scheme, Group: s.groups[stream%len(s.groups)].Key, Cursor: lastID}
		request, err := s.target.Subscribe(b, sub)
		if err != nil {
			s.faults.Add(ledger.Fault{Stream: stream, What: err.Error()})
			return b
		}
		return request
	}
	if change != nil {
		change(&o)
	}
	for i := range readers {
		latency := &s.latency
		if o.Slow != nil && o.Slow(i) {
			latency = &s.slow
		}
		readers[i] = ledger.NewReader(ledger.ReaderOptions{
			Stream: i, Group: s.groups[i%len(s.groups)], Faults: &s.faults, Latency: latency, Scanner: &s.scanner,
		})
	}
	o.Readers = readers
	var err error
	s.streams, err = load.NewStreams(o)
	return err
}

// usage is what the target and the load program have used.
type usage struct {
	process.Usage
	load time.Duration
}

func (s *session) usage() (usage, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return usage{}, fmt.Errorf("read the load program's usage: %w", err)
	}
	u := usage{load: time.Duration(own.Utime.Nano() + own.Stime.Nano())}
	if len(s.target.PIDs) == 0 {
		return u, nil
	}
	var err error
	u.Usage, err = process.ReadUsage(s.target.PIDs...)
	return u, err
}

// per notes a figure of so many units that cost so much, if there was anything to count.
func (s *session) per(name string, cost time.Duration, units int64) {
	if units > 0 && cost > 0 {
		s.r.Set(name, cost.Seconds()/float64(units))
	}
}

// latencies notes the distribution of delivery times.
func (s *session) latencies() {
	h := &s.latency
	if h.Count() == 0 {
		return
	}
	for name, q := range map[string]float64{result.LatencyP50: 0.5, result.LatencyP99: 0.99, result.LatencyP999: 0.999} {
		s.r.Set(name, seconds(h.Quantile(q)))
	}
	s.r.Set(result.LatencyMax, seconds(h.Max()))
	curve := result.Curve{Name: result.LatencyCurve}
	for _, above := range []float64{
		0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02,
		0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5,
	} {
		if above*float64(h.Count()) >= 1 {
			curve.Points = append(curve.Points, [2]float64{above, seconds(h.Quantile(1 - above))})
		}
	}
	s.r.Curves = append(s.r.Curves, curve)
}

func (s *session) memoryCurve(samples []process.Sample) {
	curve := result.Curve{Name: result.MemoryCurve}
	every := len(samples)/200 + 1
	for i := 0; i < len(samples); i += every {
		curve.Points = append(curve.Points, [2]float64{samples[i].At.Seconds(), float64(samples[i].RSS)})
	}
	s.r.Curves = append(s.r.Curves, curve)
}

// state notes what the target holds at the moment.
func (s *session) state(ctx context.Context) error {
	if len(s.target.PIDs) == 0 {
		return nil
	}
	u, err := process.ReadUsage(s.target.PIDs...)
	if err != nil {
		return err
	}
	peak, err := process.PeakRSS(s.target.PIDs...)
	if err != nil {
		return err
	}
	files, err := process.CountFiles(s.target.PIDs...)
	if err != nil {
		return err
	}
	s.r.Set(result.RSS, float64(u.RSS))
	s.r.Set(result.PeakRSS, float64(peak))
	s.r.Set(result.Threads, float64(u.Threads))
	s.r.Set(result.Files, float64(files))
	if goroutines, heap, ok := s.runtime(ctx); ok {
		s.r.Set(result.Goroutines, goroutines)
		s.r.Set(result.Heap, heap)
	}
	return nil
}

// disconnects notes how many streams the hub has ended, by reason, where it has metrics and still runs.
func (s *session) disconnects(ctx context.Context) {
	if s.target.Metrics == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, metricsLimit)
	defer cancel()
	if m, err := process.ReadMetrics(ctx, s.target.Metrics); err == nil {
		s.r.Disconnects = process.Labelled(m, "hubd_disconnects_total", "reason")
	}
}

// runtime reads the hub's goroutines and heap, where it has metrics.
func (s *session) runtime(ctx context.Context) (goroutines, heap float64, ok bool) {
	if s.target.Metrics == "" {
		return 0, 0, false
	}
	m, err := process.ReadMetrics(ctx, s.target.Metrics)
	if err != nil {
		return 0, 0, false
	}
	goroutines, ok = m["go_goroutines"]
	return goroutines, m["go_memstats_heap_inuse_bytes"], ok
}

// live is the memory that the hub's objects and stacks hold after a collection, where it has metrics and profiles.
func (s *session) live(ctx context.Context) (bytes float64, ok bool) {
	if s.target.Metrics == "" {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, metricsLimit)
	defer cancel()
	if _, err := process.ReadProfile(ctx, s.target.CollectGarbage()); err != nil {
		return 0, false
	}
	m, err := process.ReadMetrics(ctx, s.target.Metrics)
	if err != nil {
		return 0, false
	}
	heap, ok := m["go_memstats_heap_alloc_bytes"]
	return heap + m["go_memstats_stack_inuse_bytes"], ok
}

func seconds(ns int64) float64 { return float64(ns) / float64(time.Second) }

func duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
