//go:build linux

package main

import (
	"flag"
	"io"

	"hubd/bench/report"
	"hubd/bench/workload"
)

// runReport is the report command: it writes BENCHMARKS.md and its charts from the results.
func runReport(args []string, stdout, stderr io.Writer) error {
	var o report.Options
	flags := flag.NewFlagSet("bench report", flag.ContinueOnError)
	flags.StringVar(&o.Results, "results", "bench/results", "`directory` of results; charts are written there too")
	flags.StringVar(&o.Notes, "notes", "bench/notes.md", "`file` of notes, a section for each workload")
	flags.StringVar(&o.Output, "output", "BENCHMARKS.md", "`file` to write")
	if err := parse(flags, args, stderr); err != nil {
		return err
	}
	for _, w := range workload.All() {
		o.Workloads = append(o.Workloads, report.Workload{Name: w.Name, Title: w.Title})
	}
	return report.Write(o, stdout)
}
