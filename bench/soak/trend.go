//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"hubd/internal/churn"
)

// errLeak is wrapped when a slope exceeds its bound.
var errLeak = errors.New("leak")

// sample is the footprint at a moment at which the hub has no client.
type sample struct {
	at      time.Duration // since the start
	clients int64         // that had come and left
	churn.Footprint
}

// quantity is something of which nothing may stay. The bound is by a thousand clients: wide enough for the noise of a
// short run, and far below what a leak in any one phase would be.
type quantity struct {
	name  string
	of    func(sample) int
	bound float64
}

func quantities() []quantity {
	return []quantity{
		{"heap bytes", func(s sample) int { return s.Heap }, 16 << 10},
		{"goroutines", func(s sample) int { return s.Goroutines }, 0.2},
		{"open files", func(s sample) int { return s.Files }, 0.2},
		{"actors", func(s sample) int { return s.Subscribers + s.Topics }, 0.2},
	}
}

// fewest is how many samples it takes to leave out the first third and lay a line through the others.
const fewest = 6

// report prints the samples and the slopes, and returns an error that names the slopes which exceed their bounds.
func report(out io.Writer, samples []sample) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "time\tclients\theap bytes\tgoroutines\topen files\tactors\t")
	for _, s := range samples {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", s.at.Round(time.Second), s.clients, s.Heap, s.Goroutines, s.Files, s.Subscribers+s.Topics)
	}
	if len(samples) < fewest {
		return errors.Join(w.Flush(), fmt.Errorf("%d samples are too few for a line; let it run for longer, or in shorter rounds", len(samples)))
	}
	settled := samples[len(samples)/3:]
	hours, thousands := make([]float64, len(settled)), make([]float64, len(settled))
	for i, s := range settled {
		hours[i], thousands[i] = s.at.Hours(), float64(s.clients)/1000
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t")
	fmt.Fprintln(w, "slope of\tby hour\tby 1,000 clients\tbound\t\t\t")
	var err error
	for _, q := range quantities() {
		values := make([]float64, len(settled))
		for i, s := range settled {
			values[i] = float64(q.of(s))
		}
		each := slope(thousands, values)
		fmt.Fprintf(w, "%s\t%.1f\t%.3f\t%g\t\t\t\n", q.name, slope(hours, values), each, q.bound)
		if each > q.bound {
			err = errors.Join(err, fmt.Errorf("%w: %.3f %s stay of 1,000 clients, more than %g", errLeak, each, q.name, q.bound))
		}
	}
	return errors.Join(w.Flush(), err)
}

// slope is that of the line with the least squares of distances, and 0 if all x are one.
func slope(x, y []float64) float64 {
	var mx, my float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(x))
	}
	var xy, xx float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}
