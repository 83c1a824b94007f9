package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"hubd/bench/result"
)

// Heading says with what and where a set was made.
func Heading(s *result.Set) string {
	e := s.Environment
	commit := e.Commit
	if commit == "" {
		commit = "unknown"
	}
	if e.Modified {
		commit += " (modified)"
	}
	lines := []string{
		fmt.Sprintf("commit %s, %s, %s", commit, e.Go, s.At.UTC().Format("2006-01-02 15:04 UTC")),
		fmt.Sprintf("%s, %d cores, %s, %s", e.CPU, e.Cores, e.Memory, e.Kernel),
		fmt.Sprintf("store %s, protocol %s", e.Store, e.Dialect),
	}
	if len(e.HubFlags) > 0 {
		lines[2] += ", hub flags " + strings.Join(e.HubFlags, " ")
	}
	if s.Quick {
		lines = append(lines, "quick run: scaled down, not comparable with full runs")
	}
	return strings.Join(lines, "\n") + "\n"
}

// column is one target, with one number of streams, of a table.
type column struct {
	name string
	runs []*result.Result
}

// columns returns what a workload was run against: targets side by side, or numbers of streams.
func columns(s *result.Set, workload string) []column {
	var all []column
	steps := s.Streams(workload)
	for _, target := range s.Targets(workload) {
		for _, n := range steps {
			runs := s.Runs(workload, target, n)
			if n == 0 {
				runs = s.Runs(workload, target, 0)
			}
			if len(runs) == 0 {
				continue
			}
			name := target
			if len(steps) > 1 {
				name = fmt.Sprintf("%s, %s streams", target, count(float64(n)))
			}
			all = append(all, column{name, runs})
		}
	}
	return all
}

// order returns the order of figures in tables; others follow by name.
func order() []string {
	return []string{
		result.MemoryPerStream, result.LivePerStream, result.GoroutinesPerIdle, result.ConnectTime, result.CPUPerConnect,
		result.DeliveriesPerSec, result.PublishesPerSec, result.EventsPerSec, result.Deliveries, result.Publishes, result.Replayed,
		result.CPUPerDelivery, result.CPUPerPublish, result.ProxyPerDelivery,
		result.PathShare, result.PathWaits, result.PathHolds, result.OtherWaits, result.LatencyP50, result.LatencyP99, result.LatencyP999, result.LatencyMax,
		result.PublishP50, result.PublishP99, result.PeakRSS, result.RSS, result.Heap,
	}
}

// figures returns the names of all figures in some columns.
func figures(all []column) []string {
	var names []string
	for _, c := range all {
		for _, r := range c.runs {
			for name := range r.Figures {
				if r.Failure == "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	known := order()
	place := func(name string) int {
		if i := slices.Index(known, name); i >= 0 {
			return i
		}
		return len(known)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
}

// rows returns the cells of a workload's table, the heading first.
func rows(s *result.Set, workload string) [][]string {
	all := columns(s, workload)
	head := []string{"figure"}
	for _, c := range all {
		head = append(head, c.name)
	}
	compare := len(all) > 1 && all[0].name == "limit" && slices.ContainsFunc(all, func(c column) bool { return c.name == "hub" })
	if compare {
		head = append(head, "hub / limit")
	}
	table := [][]string{head}
	for _, name := range figures(all) {
		row := []string{label(name)}
		var limit, hub []*result.Result
		for _, c := range all {
			row = append(row, spread(name, result.Figure(c.runs, name)))
			switch c.name {
			case "limit":
				limit = c.runs
			case "hub":
				hub = c.runs
			}
		}
		if compare {
			compared := "-"
			if name != result.Taken { // the machine's, not the server's
				compared = ratio(result.Ratio(hub, limit, name))
			}
			row = append(row, compared)
		}
		table = append(table, row)
	}
	return table
}

// failures lists the runs of a workload that do not count, and what else was wrong, one line each.
func failures(s *result.Set, workload string) []string {
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
	}
	for _, c := range columns(s, workload) {
		for _, r := range c.runs {
			if r.Failure != "" {
				add("run %d against %s failed: %s", r.Run, c.name, strings.ReplaceAll(r.Failure, "\n", "; "))
			}
			if r.Warning != "" {
				add("run %d against %s: %s", r.Run, c.name, r.Warning)
			}
			for _, line := range r.Details {
				add("run %d against %s: %s", r.Run, c.name, line)
			}
		}
	}
	return append(lines, disturbed(s, workload)...)
}

// disturbed says how many runs of a workload do not count because others took too much of the machine, in one line for each
// column.
func disturbed(s *result.Set, workload string) []string {
	var lines []string
	aside := result.Set{Results: s.Disturbed}
	for _, c := range columns(s, workload) {
		first := c.runs[0]
		if runs := aside.Runs(workload, first.Target, first.Params.Streams); len(runs) > 0 {
			lines = append(lines, fmt.Sprintf("made again, and not counted, because others took %s of the machine: %s, runs: %d",
				spread(result.Taken, result.Figure(runs, result.Taken)), c.name, len(runs)))
		}
	}
	return lines
}

// Table writes a workload's results for a terminal.
func Table(s *result.Set, workload, title string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)%s\n", title, workload, describe(s, workload))
	table := rows(s, workload)
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range table {
		for i, cell := range row {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("  " + cell + gap)
			} else {
				b.WriteString("  " + gap + cell)
			}
		}
		b.WriteByte('\n')
	}
	for _, line := range failures(s, workload) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	return b.String()
}

// describe writes the parameters of a workload's first run.
func describe(s *result.Set, workload string) string {
	all := columns(s, workload)
	if len(all) == 0 {
		return ""
	}
	p := all[0].runs[0].Params
	var parts []string
	add := func(present bool, format string, args ...any) {
		if present {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(p.Streams > 0 && len(s.Streams(workload)) == 1, "%s streams", count(float64(p.Streams)))
	add(p.Topics > 0, "%s topics", count(float64(p.Topics)))
	add(p.Publishers > 1, "%d publishers", p.Publishers)
	add(p.Publishers == 1, "1 publisher")
	add(p.Rate > 0, "%s publishes/s", count(p.Rate))
	add(p.CacheBytes > 0, "%s of memory, %s questions", bytes(float64(p.CacheBytes)), count(float64(p.Count)))
	add(p.Count > 0 && p.CacheBytes == 0, "at most %s publishes", count(float64(p.Count)))
	add(p.Seconds > 0, "%s s", significant(p.Seconds))
	add(p.Staying > 0, "%d streams stay", p.Staying)
	add(p.Missing > 0, "%d events missed", p.Missing)
	add(p.Churn > 0, "%s connects and disconnects/s", count(p.Churn))
	add(p.SlowShare > 0, "1 in %.0f slow", 1/p.SlowShare)
	add(p.Publishers > 0, "%d bytes of data", p.Payload)
	if runs := len(all[0].runs); runs > 1 {
		parts = append(parts, fmt.Sprintf("median of %d runs", runs))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
