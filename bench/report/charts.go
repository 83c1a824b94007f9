package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"hubd/bench/result"
)

// file is a chart under the name of its file.
type file struct {
	name, alt string
	svg       string
}

// charts draws what a workload's results have curves of.
func charts(s *result.Set, workload, title string) []file {
	if workload == growthName {
		return growthCharts(s)
	}
	var files []file
	if c := latencyChart(s, workload, title); len(c.series) > 0 {
		files = append(files, file{workload + "-latency.svg", "latency distribution", c.svg()})
	}
	if c := memoryChart(s, workload, title); len(c.series) > 0 {
		files = append(files, file{workload + "-memory.svg", "memory over time", c.svg()})
	}
	return files
}

// curves returns one run's curve of each target: of the good runs, the one in the middle by a figure.
func curves(s *result.Set, workload, name, figure string) []series {
	var all []series
	for _, c := range columns(s, workload) {
		var good []*result.Result
		for _, r := range c.runs {
			if r.Failure == "" && len(r.Curve(name)) > 1 {
				good = append(good, r)
			}
		}
		slices.SortStableFunc(good, func(a, b *result.Result) int { return cmp.Compare(a.Figures[figure], b.Figures[figure]) })
		if len(good) > 0 {
			all = append(all, series{c.name, good[len(good)/2].Curve(name)})
		}
	}
	// The hub is drawn in the first colour.
	for i := range all {
		if all[i].name == "hub" {
			all[0], all[i] = all[i], all[0]
		}
	}
	return all
}

func latencyChart(s *result.Set, workload, title string) *chart {
	return &chart{
		title:    title + ": publish to receive",
		subtitle: "time that a share of all deliveries did not exceed" + describe(s, workload),
		x: axis{
			label: "share of deliveries",
			place: func(above float64) float64 { return -math.Log10(above) },
			ticks: []float64{0.5, 0.1, 0.01, 0.001, 1e-4, 1e-5},
			format: func(above float64) string {
				decimals := max(0, int(math.Round(-math.Log10(above)))-2)
				return fmt.Sprintf("%.*f%%", decimals, (1-above)*100)
			},
		},
		y:      axis{format: duration},
		series: curves(s, workload, result.LatencyCurve, result.LatencyP99),
	}
}

func memoryChart(s *result.Set, workload, title string) *chart {
	return &chart{
		title:    title + ": memory",
		subtitle: "resident memory of the server" + describe(s, workload),
		x:        axis{label: "seconds", format: significant},
		y:        axis{unit: 1 << 20, format: bytes},
		series:   curves(s, workload, result.MemoryCurve, result.PeakRSS),
	}
}

func growthCharts(s *result.Set) []file {
	var files []file
	for _, g := range []struct {
		title, name string
		lines       []series
		unit        float64
		format      func(v float64) string
	}{
		{
			"Memory of an idle stream", "growth-memory.svg",
			[]series{grows(s, "resident", result.MemoryPerStream), grows(s, "live", result.LivePerStream)},
			1 << 10, bytes,
		},
		{"Processor time of a delivery at 5 publishes a second", "growth-cpu.svg", []series{grows(s, "hub", result.CPUPerDelivery)}, 0, duration},
	} {
		c := chart{
			title: g.title, subtitle: "against the number of streams that are open",
			x: axis{label: "streams", format: count}, y: axis{format: g.format, unit: g.unit},
		}
		for _, line := range g.lines {
			if len(line.points) > 1 {
				c.series = append(c.series, line)
			}
		}
		if len(c.series) == 0 {
			continue
		}
		for _, p := range c.series[0].points {
			c.x.ticks = append(c.x.ticks, p[0])
		}
		files = append(files, file{g.name, strings.ToLower(g.title), c.svg()})
	}
	return files
}

// grows is a figure of the hub's against the number of streams.
func grows(s *result.Set, name, figure string) series {
	line := series{name: name}
	for _, n := range s.Streams(growthName) {
		if f := result.Figure(s.Runs(growthName, "hub", n), figure); f.Runs > 0 {
			line.points = append(line.points, [2]float64{float64(n), f.Median})
		}
	}
	return line
}
