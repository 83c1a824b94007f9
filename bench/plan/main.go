package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"text/tabwriter"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "plan:", err)
			os.Exit(2)
		}
	}
}

// scenario is a deployment to plan.
type scenario struct {
	name    string
	load    load
	machine machine
}

// scenarios are those of the page.
func scenarios() []scenario {
	node := machine{cores: 8, memory: 16 << 30, most: 250_000, busy: 0.4, full: 0.75}
	million := load{streams: 1_000_000, publishes: 2000, payload: 512, perStream: 0.1, missed: 1, backFrom: 3, backTo: 6}
	ten := million
	ten.streams, ten.publishes = 10_000_000, 5000
	all := million
	all.publishes, all.perStream, all.missed = 1, 1, 6
	allTen := all
	allTen.streams = ten.streams
	return []scenario{
		{"1M, each its own updates", million, node},
		{"1M, one update a second to all", all, node},
		{"10M, each its own updates", ten, node},
		{"10M, one update a second to all", allTen, node},
	}
}

// run prints the plan of the flags' load, or without flags those of the page.
func run(args []string, stdout io.Writer) error {
	own := scenarios()[0]
	own.name = "this load"
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	flags.IntVar(&own.load.streams, "streams", own.load.streams, "streams that are open at once")
	flags.Float64Var(&own.load.publishes, "publishes", own.load.publishes, "updates a second of all publishers")
	flags.IntVar(&own.load.payload, "payload", own.load.payload, "bytes of data of an update")
	flags.Float64Var(&own.load.perStream, "per-stream", own.load.perStream, "updates a second that a stream gets")
	flags.IntVar(&own.load.missed, "missed", own.load.missed, "updates that a stream of a dead node has missed")
	flags.Float64Var(&own.load.backFrom, "back-from", own.load.backFrom, "seconds until the first of them comes back")
	flags.Float64Var(&own.load.backTo, "back-to", own.load.backTo, "seconds until the last of them comes back")
	flags.IntVar(&own.machine.cores, "cores", own.machine.cores, "cores of a node")
	flags.Int64Var(&own.machine.memory, "memory", own.machine.memory, "memory of a node in bytes")
	flags.IntVar(&own.machine.most, "most", own.machine.most, "streams that one node may hold")
	flags.Float64Var(&own.machine.busy, "busy", own.machine.busy, "share of the cores that may be in use while all nodes are up")
	flags.Float64Var(&own.machine.full, "full", own.machine.full, "share of the memory that may be in use")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all := scenarios()
	if flags.NFlag() > 0 {
		all = []scenario{own}
	}
	return table(stdout, all)
}

// table prints a column for each scenario.
func table(stdout io.Writer, all []scenario) error {
	plans := make([]plan, len(all))
	simulated := make([]float64, len(all))
	for i, s := range all {
		var err error
		if plans[i], err = newPlan(s.load, s.machine, measured); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		simulated[i], _ = simulate(plans[i], s.load, s.machine, measured, rand.New(rand.NewPCG(1, 1)))
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(i int) string) {
		fmt.Fprint(w, name, "\t")
		for i := range all {
			fmt.Fprint(w, cell(i), "\t")
		}
		fmt.Fprintln(w)
	}
	row("", func(i int) string { return all[i].name })
	row("updates a second", func(i int) string { return fmt.Sprintf("%g", all[i].load.publishes) })
	row("updates a second to a stream", func(i int) string { return fmt.Sprintf("%g", all[i].load.perStream) })
	row("nodes by memory", func(i int) string { return fmt.Sprint(plans[i].byMemory) })
	row("nodes by cores", func(i int) string { return fmt.Sprint(plans[i].byCores) })
	row("nodes by streams of one", func(i int) string { return fmt.Sprint(plans[i].byMost) })
	row("nodes, one to spare", func(i int) string { return fmt.Sprint(plans[i].nodes) })
	row("streams of a node", func(i int) string { return fmt.Sprint(plans[i].perNode) })
	row("memory of a node", func(i int) string { return fmt.Sprintf("%.1f GB", float64(plans[i].memory)/1e9) })
	row("its cores in use", func(i int) string { return fmt.Sprintf("%.0f%%", 100*plans[i].busy) })
	row("engine takes in", func(i int) string { return fmt.Sprintf("%.2f MB/s", plans[i].appended/1e6) })
	row("engine gives out", func(i int) string { return fmt.Sprintf("%.1f MB/s", plans[i].read/1e6) })
	row("look-ups for leases and revocations", func(i int) string { return fmt.Sprintf("%.0f/s", plans[i].requests) })
	row("a node dies: all streams back after", func(i int) string { return fmt.Sprintf("%.1f s", plans[i].recovery) })
	row("the same, simulated", func(i int) string { return fmt.Sprintf("%.1f s", simulated[i]) })
	row("cores of the others meanwhile", func(i int) string { return fmt.Sprintf("%.0f%%", 100*plans[i].worst) })
	return w.Flush()
}
