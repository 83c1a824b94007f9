package report

import (
	"fmt"
	"strings"

	"hubd/bench/result"
)

// page writes BENCHMARKS.md.
type page struct {
	strings.Builder
	// newest has, for each workload, the newest set that holds it.
	newest map[string]*result.Set
	notes  map[string]string
	// charts is the path from the page to the charts.
	charts string
}

func (p *page) write(workloads []Workload) []file {
	p.WriteString(intro)
	if note := p.notes["intro"]; note != "" {
		p.WriteString(note + "\n\n")
	}
	p.goals()
	p.growth()
	var files []file
	for _, w := range workloads {
		files = append(files, p.workload(w)...)
	}
	return files
}

const intro = `# Benchmarks

This page is made by ` + "`go run ./bench report`" + ` from the raw results in [bench/results](bench/results), and from nothing
else but [bench/notes.md](bench/notes.md). To measure anew: ` + "`make bench RUNS=3`" + `, or ` + "`go run ./bench -workload NAME`" + `.

How to read it. The server and the load program share one machine and its loopback interface, so an absolute
figure holds for that machine alone. The *limit* is a bare loop that writes the frame to every socket, one
write for each event, with no HTTP beyond the end of the request, no matching and no store; ` + "`limit-2`" + ` is the
same with a loop on each core. It was run in turn with the hub, so the ratios carry over best. Where there were
several runs, the figure is their median, with the extremes behind it. A ratio is taken within each run, and
its median is what a goal is held against; workloads whose goal is a ratio to the limit are run three times as often
as others, as one ratio differs from the next by a tenth and more. Each stream checks every delivery: a
run in which one event was lost, doubled, reordered or sent to the wrong stream has failed, and its figures
do not count.

The machine is virtual, and its host gives some of it to others. How much is a figure of each run: of the processor time that was
asked for, what was not given (steal in /proc/stat). A run of which others took more than 3% is made again, whatever it measured, up to four
attempts in all (` + "`-max-taken`, `-attempts`" + `), and the least disturbed counts; one that has failed counts as failed at once. Those that do not count are told of
below their table, and kept with the raw results.

`

func (p *page) goals() {
	p.WriteString("## Goals\n\n")
	p.WriteString("The columns of other hubs, and the last one, are those measured when the goals were set, on a machine of the same\n")
	p.WriteString("kind, with 10,000 streams and 128 bytes of data. Mercure is the reference hub's 1.0 alpha with bolt / in memory.\n\n")
	p.WriteString("| workload | hubd | limit, same call | hubd / limit | goal | met | Mercure | Centrifugo 6.9 | Nchan 1.3.6 | limit, then |\n")
	p.WriteString("|---|---|---|---|---|---|---|---|---|---|\n")
	for _, g := range goals() {
		v := judge(g, p.newest[g.workload])
		p.row(v.title, "**"+v.ours+"**", v.measuredLimit, v.ratio, v.text, v.outcome, v.mercure, v.centrifugo, v.nchan, v.limit)
	}
	p.WriteString("\n")
}

func (p *page) row(cells ...string) {
	p.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// growth writes the goal that costs grow in proportion.
func (p *page) growth() {
	s := p.newest[growthName]
	if s == nil {
		return
	}
	all := judgeGrowth(s)
	steps := s.Streams(growthName)
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(p, "Costs should grow in proportion: what a stream or a delivery costs may be a tenth more with the most streams than with the fewest.\n\n")
	p.row("cost", count(float64(steps[0]))+" streams", count(float64(steps[len(steps)-1]))+" streams", "ratio", "met")
	p.row("---", "---", "---", "---", "---")
	for _, g := range all {
		p.row(g.title, g.few, g.many, g.ratio, g.outcome)
	}
	p.WriteString("\nLive memory is what objects and stacks hold after a collection. Resident memory is shown beside it and not judged: 1,000 streams may fit into\n")
	p.WriteString("what the server's start has left free.\n\n")
}

// workload writes one workload's section and returns its charts.
func (p *page) workload(w Workload) []file {
	s := p.newest[w.Name]
	if s == nil {
		return nil
	}
	fmt.Fprintf(p, "## %s\n\n`%s`%s.\n\n", w.Title, w.Name, describe(s, w.Name))
	if note := p.notes[w.Name]; note != "" {
		p.WriteString(note + "\n\n")
	}
	for i, row := range rows(s, w.Name) {
		p.row(row...)
		if i == 0 {
			p.row(strings.Split(strings.Repeat("---,", len(row)-1)+"---", ",")...)
		}
	}
	p.WriteString("\n")
	wrong := failures(s, w.Name)
	for _, line := range wrong {
		fmt.Fprintf(p, "- %s\n", line)
	}
	if len(wrong) > 0 {
		p.WriteString("\n")
	}
	files := charts(s, w.Name, w.Title)
	for _, f := range files {
		fmt.Fprintf(p, "![%s: %s](%s/%s)\n\n", w.Title, f.alt, p.charts, f.name)
	}
	fmt.Fprintf(p, "<sub>%s</sub>\n\n", strings.ReplaceAll(strings.TrimSpace(Heading(s)), "\n", "; "))
	return files
}

// parseNotes splits a file of notes at its second-level headings, which name workloads.
func parseNotes(text string) map[string]string {
	notes := make(map[string]string)
	for _, section := range strings.Split("\n"+text, "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		notes[strings.TrimSpace(name)] = strings.TrimSpace(body)
	}
	return notes
}
