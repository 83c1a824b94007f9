package report

import (
	"cmp"
	"fmt"

	"hubd/bench/result"
)

// goal is a row of the project's targets: the figure, what other hubs reach on a machine like the one
// that was used to set the goals, and what is aimed at.
type goal struct {
	title    string
	workload string
	figure   string
	// reference figures as they were measured when the goals were set; "-" where there is none.
	mercure, centrifugo, nchan, limit string
	// text is the goal in words; met decides, given the median of our figure or, with toLimit, the median of
	// its ratios to the bare loop's figure of the same run.
	text    string
	met     func(v float64) bool
	toLimit bool
}

func atMost(x float64) func(v float64) bool { return func(v float64) bool { return v <= x } }

func atLeast(x float64) func(v float64) bool { return func(v float64) bool { return v >= x } }

// goals returns the rows in their order.
func goals() []goal {
	return []goal{
		{
			title: "memory per idle stream", workload: "idle", figure: result.MemoryPerStream,
			mercure: "46 KB", centrifugo: "51 KB", nchan: "9-11 KB", limit: "0.5 KB",
			text: "at most 4 KB", met: atMost(4 << 10),
		}, {
			title: "goroutines per idle stream", workload: "idle", figure: result.GoroutinesPerIdle,
			text: "none", met: atMost(0.01),
		}, {
			title: "connect 10,000 streams", workload: "connect", figure: result.ConnectTime,
			mercure: "1.1-1.9 s", centrifugo: "2.0 s", nchan: "0.5-1.2 s", limit: "0.5 s",
			text: "at most 1.2 x limit", met: atMost(1.2), toLimit: true,
		}, {
			title: "fan-out at 5 publishes/s, CPU per delivery", workload: "fanout-paced", figure: result.CPUPerDelivery,
			mercure: "23.5 us", centrifugo: "29.6 us", nchan: "15.4 us", limit: "12.3 us",
			text: "at most 1.15 x limit", met: atMost(1.15), toLimit: true,
		}, {
			title: "same, p99 publish to receive", workload: "fanout-paced", figure: result.LatencyP99,
			mercure: "487 ms", centrifugo: "543 ms", nchan: "167 ms", limit: "139 ms",
			text: "at most 0.9 x limit", met: atMost(0.9), toLimit: true,
		}, {
			title: "fan-out as fast as publishes go", workload: "fanout-saturated", figure: result.DeliveriesPerSec,
			mercure: "63k / 96k", centrifugo: "51k", nchan: "90k", limit: "101k",
			text: "at least 2,000,000/s, durable", met: atLeast(2e6),
		}, {
			title: "memory after it", workload: "fanout-saturated", figure: result.RSS,
			text: "under 256 MB", met: atMost(256 << 20),
		}, {
			title: "waits for each other from the log to the sockets, of the CPU time", workload: "contention", figure: result.PathShare,
			text: "none (less than 0.1%)", met: atMost(0.001),
		}, {
			title: "durable publishes, 256 connections, no subscriber", workload: "publish", figure: result.PublishesPerSec,
			mercure: "1.5k/s", centrifugo: "not durable", nchan: "not durable", limit: "5k fsync/s; 54k HTTP/s",
			text: "at least 40,000/s", met: atLeast(40_000),
		}, {
			title: "10,000 streams on 10,000 topics", workload: "topics", figure: result.PublishesPerSec,
			mercure: "101 / 192 /s", centrifugo: "8.1k/s, not durable", nchan: "13.5k/s, not durable",
			text: "at least 15,000/s, durable", met: atLeast(15_000),
		}, {
			title: "10,000 distinct patterns, topics never seen before", workload: "patterns", figure: result.PublishesPerSec,
			mercure: "5/s",
			text:    "at least 10,000/s", met: atLeast(10_000),
		}, {
			title: "10,000 streams reconnect, each missing 100 events", workload: "reconnect", figure: result.EventsPerSec,
			mercure: "56k/s",
			text:    "at least 1,000,000/s", met: atLeast(1e6),
		}, {
			title: "same, peak memory", workload: "reconnect", figure: result.PeakRSS,
			mercure: "1.36 GB",
			text:    "at most 256 MB", met: atMost(256 << 20),
		}, {
			title: "longest replay in one stream", workload: "replay", figure: result.Replayed,
			mercure: "1,000, then cut", nchan: "buffer length",
			text: "all that is retained", met: atLeast(100_000),
		},
	}
}

// verdict is a goal with what was measured.
type verdict struct {
	goal
	ours, measuredLimit, ratio string
	// outcome is "yes", "no", or "-" when it was not measured.
	outcome string
}

// judge holds the results of a set against a goal.
func judge(g goal, s *result.Set) verdict {
	v := verdict{goal: g, ours: "-", measuredLimit: "-", ratio: "-", outcome: "-"}
	for _, cell := range []*string{&v.mercure, &v.centrifugo, &v.nchan, &v.limit} {
		*cell = cmp.Or(*cell, "-")
	}
	if s == nil {
		return v
	}
	runs := s.Runs(g.workload, "hub", 0)
	ours := result.Figure(runs, g.figure)
	limits := s.Runs(g.workload, "limit", 0)
	toLimit := result.Ratio(runs, limits, g.figure)
	v.measuredLimit = spread(g.figure, result.Figure(limits, g.figure))
	if len(runs) > 0 && ours.Runs < len(runs) {
		v.outcome = fmt.Sprintf("no: %d of %d runs failed", len(runs)-ours.Runs, len(runs))
	}
	if ours.Runs == 0 {
		return v
	}
	v.ours = spread(g.figure, ours)
	v.ratio = ratio(toLimit)
	judged := ours
	if g.toLimit {
		judged = toLimit
	}
	if v.outcome == "-" && judged.Runs > 0 {
		v.outcome = "no"
		if g.met(judged.Median) {
			v.outcome = "yes"
		}
	}
	return v
}

// grown is a cost that must not depend on the number of streams.
type grown struct {
	title, figure string
	// few and many are the cost with the least and the greatest number of streams.
	few, many, ratio, outcome string
	// shown says that the cost is not judged.
	shown bool
}

// growthBound is how much more a stream or a delivery may cost with the most streams than with the fewest.
const growthBound = 1.10

// judgeGrowth compares the ends of the growth workload.
func judgeGrowth(s *result.Set) []grown {
	all := []grown{
		{title: "live memory per stream", figure: result.LivePerStream},
		{title: "resident memory per stream", figure: result.MemoryPerStream, shown: true},
		{title: "CPU per delivery at 5 publishes/s", figure: result.CPUPerDelivery},
	}
	steps := s.Streams(growthName)
	if len(steps) < 2 {
		return nil
	}
	for i := range all {
		g := &all[i]
		few := s.Runs(growthName, "hub", steps[0])
		many := s.Runs(growthName, "hub", steps[len(steps)-1])
		grows := result.Ratio(many, few, g.figure)
		g.few, g.many = spread(g.figure, result.Figure(few, g.figure)), spread(g.figure, result.Figure(many, g.figure))
		g.ratio, g.outcome = ratio(grows), "-"
		if grows.Runs > 0 && !g.shown {
			g.outcome = "no"
			if grows.Median <= growthBound {
				g.outcome = "yes"
			}
		}
	}
	return all
}

// growthName is the workload whose results are a curve over the number of streams.
const growthName = "growth"
