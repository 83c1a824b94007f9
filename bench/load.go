//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hubd/bench/report"
	"hubd/bench/result"
	"hubd/bench/target"
	"hubd/bench/workload"
)

var (
	// errFailed is wrapped when a run did not pass.
	errFailed = errors.New("failed runs")
	// These say why a workload is skipped.
	errNothing    = errors.New("it is for none of the servers that were asked for")
	errNoRestart  = errors.New("it restarts the hub, which the load program does with one that it has started")
	errNoProfiles = errors.New("it takes the profiles of the hub, which -metrics has the address of")
)

// loader makes the runs of one call.
type loader struct {
	o       *options
	program string // the hub's path
	log     io.Writer
	set     result.Set
	runs    int
	failed  int
}

// runLoad is the command without a name: it runs workloads, prints tables and keeps the results.
func runLoad(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	if o.install {
		if err := target.InstallNchan(ctx); err != nil {
			return err
		}
	}
	if v := os.Getenv("BENCH_QUICK"); v != "" && v != "0" {
		o.quick = true
	}
	o.defaults(stderr, target.FindNchan)
	l := &loader{o: o, log: stderr, program: o.program}
	l.set = result.Set{At: time.Now(), Quick: o.quick, MaxTaken: o.maxTaken, Attempts: o.attempts, Environment: result.ReadEnvironment(ctx, o.root)}
	l.set.Environment.Store, l.set.Environment.Dialect = o.store, o.keys.Dialect.String()
	l.set.Environment.HubFlags = o.hubFlags
	if l.builds() {
		dir, err := os.MkdirTemp(o.dir, "hubd-bench-build-")
		if err != nil {
			return fmt.Errorf("make a directory for the hub: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if l.program, err = target.Build(ctx, o.root, dir); err != nil {
			return err
		}
	}
	fmt.Fprintln(stdout, report.Heading(&l.set))
	for _, w := range workload.All() {
		if !slices.Contains(o.workloads, w.Name) {
			continue
		}
		if why := l.unfit(&w); why != nil {
			fmt.Fprintf(stderr, "%s: skipped: %v\n", w.Name, why)
			continue
		}
		if err := l.workload(ctx, &w); err != nil {
			return err
		}
		fmt.Fprintln(stdout, report.Table(&l.set, w.Name, w.Title))
	}
	return l.finish(stdout)
}

// builds reports whether the hub has to be built: some workload is for it, and none was given.
func (l *loader) builds() bool {
	if l.o.url != "" || !l.o.hub || l.program != "" {
		return false
	}
	return slices.ContainsFunc(workload.All(), func(w workload.Workload) bool {
		return len(w.Local) == 0 && slices.Contains(l.o.workloads, w.Name)
	})
}

func (l *loader) finish(stdout io.Writer) error {
	if l.o.results != "" && len(l.set.Results) > 0 {
		path, err := l.set.Save(l.o.results)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, "kept in", filepath.ToSlash(path))
	}
	if l.failed > 0 {
		return fmt.Errorf("%w: %d of %d", errFailed, l.failed, len(l.set.Results))
	}
	return nil
}

// workload makes all runs of a workload: in each, every target comes once.
func (l *loader) workload(ctx context.Context, w *workload.Workload) error {
	steps := w.Steps
	if len(steps) == 0 || l.o.given["streams"] {
		steps = []int{0}
	}
	for run := range l.o.times(w) {
		for _, streams := range steps {
			p := w.Default
			if streams > 0 {
				p.Streams = streams
			}
			p = l.o.apply(p)
			for _, name := range l.targets(w) {
				if err := l.run(ctx, w, name, p, run+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unfit says why a workload cannot be run here, or returns nil.
func (l *loader) unfit(w *workload.Workload) error {
	if len(l.targets(w)) == 0 {
		return errNothing
	}
	if w.Restarts && l.o.url != "" {
		return errNoRestart
	}
	if w.Profiles && l.o.url != "" && l.o.metrics == "" {
		return errNoProfiles
	}
	if w.Needs == nil {
		return nil
	}
	return w.Needs()
}

// targets returns what a workload is run against, in this order.
func (l *loader) targets(w *workload.Workload) []string {
	if len(w.Local) > 0 {
		return w.Local
	}
	if w.Engines && l.o.hub && l.o.url == "" {
		return append([]string{"hub"}, target.Engines(!l.o.quick)...)
	}
	var names []string
	for _, name := range l.o.against {
		if name == "nchan" && w.Nchan || name != "nchan" && w.Bare {
			names = append(names, name)
		}
	}
	if l.o.hub {
		names = append(names, "hub")
	}
	return names
}

// run makes one run. A run that fails is a result; an error is only that it could not be made.
func (l *loader) run(ctx context.Context, w *workload.Workload, name string, p result.Params, run int) error {
	r, err := l.undisturbed(func() (*result.Result, error) {
		fmt.Fprintf(l.log, "%s: run %d against %s\n", w.Name, run, name)
		return l.once(ctx, w, name, p, run)
	})
	if err != nil {
		return err
	}
	l.set.Results = append(l.set.Results, *r)
	return nil
}

// undisturbed makes a run, again as long as others take too much of the machine, up to the attempts that are allowed: then the
// least disturbed counts. A run that failed counts as it is.
func (l *loader) undisturbed(once func() (*result.Result, error)) (*result.Result, error) {
	var best *result.Result
	for attempt := 1; ; attempt++ {
		r, err := once()
		if err != nil {
			return nil, err
		}
		if best == nil || r.Failure != "" || r.Figures[result.Taken] < best.Figures[result.Taken] {
			best, r = r, best
		}
		l.setAside(r)
		taken := best.Figures[result.Taken]
		switch {
		case best.Failure != "" || taken <= l.o.maxTaken || l.o.attempts == 1:
			return best, nil
		case attempt == l.o.attempts:
			best.Warn(fmt.Sprintf("others took %.1f%% of the machine, the least in %d attempts", 100*taken, attempt))
			fmt.Fprintln(l.log, "WARNING:", best.Warning)
			return best, nil
		}
		fmt.Fprintf(l.log, "others took %.1f%% of the machine: once more\n", 100*taken)
	}
}

// setAside keeps a run that does not count, if there is one.
func (l *loader) setAside(r *result.Result) {
	if r != nil {
		r.Curves = nil
		l.set.Disturbed = append(l.set.Disturbed, *r)
	}
}

// once starts a target, makes one run against it and stops it.
func (l *loader) once(ctx context.Context, w *workload.Workload, name string, p result.Params, run int) (*result.Result, error) {
	l.runs++
	t, err := l.start(ctx, w, name)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	r, err := w.Run(ctx, t, p, run)
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), t.Stop())
	}
	if err := t.Stop(); err != nil {
		r.Warn(fmt.Sprintf("stop %s: %v", name, err))
		fmt.Fprintln(l.log, "WARNING:", r.Warning)
	}
	if err != nil {
		l.failed++
		r.Log = t.Log()
		l.tell(&r)
	}
	return &r, nil
}

// tell prints all that is known of a failed run.
func (l *loader) tell(r *result.Result) {
	fmt.Fprintln(l.log, "FAILED:", r.Failure)
	for _, f := range r.Faults {
		fmt.Fprintln(l.log, "  ", f)
	}
	for _, line := range r.Details {
		fmt.Fprintln(l.log, "  ", line)
	}
	if r.Log != "" {
		fmt.Fprintf(l.log, "the last that %s wrote:\n%s\n", r.Target, r.Log)
	}
}

func (l *loader) start(ctx context.Context, w *workload.Workload, name string) (*target.Target, error) {
	unique := runName(time.Now(), l.runs)
	switch {
	case len(w.Local) > 0:
		return target.Local(name), nil
	case name == "limit":
		return target.StartLimit(ctx, 1)
	case name == "limit-2":
		return target.StartLimit(ctx, 2)
	case name == "nchan":
		return target.StartNchan(ctx, l.o.dir, unique)
	case l.o.url != "":
		return target.Remote(ctx, target.RemoteOptions{
			Keys: l.o.keys, URL: l.o.url, Run: unique, PID: l.o.pid, Metrics: l.o.metrics,
		})
	}
	o := target.HubOptions{
		Keys: l.o.keys, Program: l.program, Run: unique, Dir: l.o.dir, Store: l.o.store,
		Flags: append(slices.Clone(w.HubFlags), l.o.hubFlags...),
	}
	if name != "hub" {
		return target.StartCluster(ctx, name, o)
	}
	return target.StartHub(ctx, o)
}
