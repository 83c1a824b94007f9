//go:build linux

package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"hubd/auth"
	"hubd/bench/result"
	"hubd/bench/target"
	"hubd/bench/workload"
)

// options are the flags of a load run.
type options struct {
	workloads []string
	against   []string
	runs      int
	maxTaken  float64
	attempts  int
	quick     bool
	results   string
	root      string
	dir       string
	store     string
	hubFlags  []string
	install   bool
	hub       bool
	program   string

	url     string
	pid     int
	metrics string
	keys    target.Keys

	// params holds the flags that were given, by name; the rest is the workload's own.
	params result.Params
	given  map[string]bool
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{given: make(map[string]bool)}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	names := flags.String("workload", "all", "`names` separated by commas, or all: "+strings.Join(workloadNames(), ", "))
	against := flags.String("against", "limit,limit-2,nchan", "`names` of what to compare with, of limit, limit-2 and nchan; empty for none. "+
		"Without this flag nchan is left out where it is not installed, and -quick takes limit alone")
	dialect := flags.String("dialect", "0.x", "`version` of tokens and subscriptions: 0.x or 1.0")
	hubFlags := flags.String("hub-flags", "", "`flags` for the hub that is started, separated by spaces")
	flags.IntVar(&o.runs, "runs", 1, "how many times to run each workload; those whose goal is a ratio to the bare loop, connect and fanout-paced, three times as often, but with -quick")
	flags.Float64Var(&o.maxTaken, "max-taken", 0.03, "largest `share` of the processor time asked for that the machine's host may give to others during a run (steal in /proc/stat); "+
		"a run beyond it is made again and does not count")
	flags.IntVar(&o.attempts, "attempts", 4, "how many times to make a run that is beyond -max-taken; if none is within, the least disturbed counts, and says so. With -quick 1, which takes runs as they are")
	flags.BoolVar(&o.quick, "quick", false, "scale everything down to about a minute; results are not kept unless -results is given (also BENCH_QUICK=1)")
	flags.StringVar(&o.results, "results", "bench/results", "`directory` where results are kept; empty for none. Without this flag, those of runs with other parameters than a workload's own, or with -max-taken or -attempts, are not kept")
	flags.StringVar(&o.root, "root", ".", "`directory` of the module whose hub is built")
	flags.StringVar(&o.program, "program", "", "`path` of a hub to start instead of building this module's")
	flags.StringVar(&o.dir, "dir", "", "`directory` for stores and other temporary files, on a real disk (default the system's)")
	flags.StringVar(&o.store, "store", "bolt", "store of the hub that is started: bolt or memory")
	flags.BoolVar(&o.hub, "hub", true, "run against the hub; false leaves only what -against names")
	flags.BoolVar(&o.install, "install-nchan", false, "install nginx with Nchan by apt-get when it is missing; takes root")
	flags.StringVar(&o.url, "url", "", "`URL` of a running hub to load instead of starting one")
	flags.IntVar(&o.pid, "pid", 0, "process id of the hub at -url, to read its cost")
	flags.StringVar(&o.metrics, "metrics", "", "`URL` of the metrics of the hub at -url")
	flags.StringVar(&o.keys.Publisher, "publisher-key", "", "HS256 `secret` for publishers' tokens (default random, with a hub that is started)")
	flags.StringVar(&o.keys.Subscriber, "subscriber-key", "", "HS256 `secret` for subscribers' tokens (default the publishers')")
	p := &o.params
	flags.IntVar(&p.Streams, "streams", 0, "number of streams")
	flags.IntVar(&p.Publishers, "publishers", 0, "number of publishing connections")
	flags.Float64Var(&p.Rate, "rate", 0, "publishes per second; 0 is as fast as they are answered")
	flags.Float64Var(&p.Seconds, "seconds", 0, "how long to publish")
	flags.Int64Var(&p.Count, "count", 0, "most publishes")
	flags.Int64Var(&p.Window, "window", 0, "most updates that are published ahead of their delivery")
	flags.IntVar(&p.Payload, "payload", 0, "bytes of data of an update")
	flags.IntVar(&p.Concurrency, "concurrency", 0, "connects under way at a time")
	flags.Float64Var(&p.Settle, "settle", 0, "seconds of rest before memory is read")
	if err := parse(flags, args, stderr); err != nil {
		return nil, err
	}
	flags.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	o.workloads = split(*names)
	o.against = split(*against)
	o.hubFlags = strings.Fields(*hubFlags)
	var err error
	if o.keys.Dialect, err = auth.ParseProtocol(*dialect); err != nil {
		return nil, fmt.Errorf("%w: -dialect: %w", errUsage, err)
	}
	return o, o.validate()
}

func (o *options) validate() error {
	if slices.Equal(o.workloads, []string{"all"}) {
		o.workloads = workloadNames()
	}
	for _, name := range o.workloads {
		if !slices.Contains(workloadNames(), name) {
			return fmt.Errorf("%w: -workload: there is no %q", errUsage, name)
		}
	}
	for _, name := range o.against {
		if !slices.Contains([]string{"limit", "limit-2", "nchan"}, name) {
			return fmt.Errorf("%w: -against: there is no %q", errUsage, name)
		}
	}
	switch {
	case o.keys.Dialect == auth.Both:
		return fmt.Errorf("%w: -dialect is 0.x or 1.0", errUsage)
	case o.store != "bolt" && o.store != "memory":
		return fmt.Errorf("%w: -store is bolt or memory", errUsage)
	case o.runs < 1 || o.runs > 100:
		return fmt.Errorf("%w: -runs is between 1 and 100", errUsage)
	case o.maxTaken < 0 || o.attempts < 1 || o.attempts > 100:
		return fmt.Errorf("%w: -max-taken is at least 0, and -attempts between 1 and 100", errUsage)
	case o.url != "" && o.keys.Publisher == "":
		return fmt.Errorf("%w: -url needs -publisher-key", errUsage)
	case o.params.Streams < 0 || o.params.Streams > 19_000:
		return fmt.Errorf("%w: -streams is at most 19000", errUsage)
	}
	if o.keys.Publisher == "" {
		o.keys.Publisher = rand.Text() + rand.Text()
	}
	if o.keys.Subscriber == "" {
		o.keys.Subscriber = o.keys.Publisher
	}
	return nil
}

// defaults settles what follows from the machine and from other flags. It says on stderr what is left out. find
// is target.FindNchan.
func (o *options) defaults(stderr io.Writer, find func() (program, module string, err error)) {
	if !o.given["results"] && (o.quick || o.changed() || o.given["max-taken"] || o.given["attempts"]) {
		o.results = "" // BENCHMARKS.md would take them for full runs that were made again by its rule
	}
	if o.quick && !o.given["attempts"] {
		o.attempts = 1
	}
	if o.given["against"] {
		return
	}
	if o.quick {
		o.against = []string{"limit"}
		return
	}
	if _, _, err := find(); err != nil {
		o.against = slices.DeleteFunc(o.against, func(name string) bool { return name == "nchan" })
		fmt.Fprintf(stderr, "nchan is left out: %v; -install-nchan installs it\n", err)
	}
}

// times is how often to run a workload.
func (o *options) times(w *workload.Workload) int {
	if o.quick {
		return o.runs
	}
	return o.runs * max(w.Often, 1)
}

// changed reports whether a parameter of the workloads was given.
func (o *options) changed() bool {
	for name := range o.setters(new(result.Params)) {
		if o.given[name] {
			return true
		}
	}
	return false
}

// apply puts the flags that were given over a workload's own parameters.
func (o *options) apply(p result.Params) result.Params {
	if o.quick {
		p = workload.Quick(p)
	}
	for name, set := range o.setters(&p) {
		if o.given[name] {
			set()
		}
	}
	return p
}

// setters put the value of a flag, by its name, into parameters.
func (o *options) setters(p *result.Params) map[string]func() {
	return map[string]func(){
		"streams":     func() { p.Streams = o.params.Streams },
		"publishers":  func() { p.Publishers = o.params.Publishers },
		"rate":        func() { p.Rate = o.params.Rate },
		"seconds":     func() { p.Seconds = o.params.Seconds },
		"count":       func() { p.Count = o.params.Count },
		"window":      func() { p.Window = o.params.Window },
		"payload":     func() { p.Payload = o.params.Payload },
		"concurrency": func() { p.Concurrency = o.params.Concurrency },
		"settle":      func() { p.Settle = o.params.Settle },
	}
}

func workloadNames() []string {
	var names []string
	for _, w := range workload.All() {
		names = append(names, w.Name)
	}
	return names
}

func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// runName sets the topics of one run apart.
func runName(now time.Time, n int) string { return fmt.Sprintf("%x-%d", now.UnixNano(), n) }
