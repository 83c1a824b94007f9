package result

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hubd/bench/stat"
)

// Set is what one call of the load program has measured.
type Set struct {
	At          time.Time   `json:"at"`
	Quick       bool        `json:"quick,omitempty"`
	Environment Environment `json:"environment"`
	Results     []Result    `json:"results"`
	// MaxTaken is the share of the machine that others may take in a run that is not made again, as long as there are Attempts
	// left; 0 in sets of before there was one.
	MaxTaken float64 `json:"max_taken,omitempty"`
	Attempts int     `json:"attempts,omitempty"`
	// Disturbed are runs that do not count because others took too much of the machine, without their curves. Each was
	// made again.
	Disturbed []Result `json:"disturbed,omitempty"`
}

// Save writes a set into a directory, in a file named after its time and workloads.
func (s *Set) Save(dir string) (string, error) {
	name := s.At.UTC().Format("20060102T150405Z") + "-" + strings.Join(s.Workloads(), "+") + ".json"
	if len(s.Workloads()) > 3 {
		name = s.At.UTC().Format("20060102T150405Z") + "-all.json"
	}
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return "", fmt.Errorf("encode results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the directory of results: %w", err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("write results: %w", err)
	}
	return path, nil
}

// Load reads all sets in a directory, oldest first.
func Load(dir string) ([]Set, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list results: %w", err)
	}
	var sets []Set
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		var s Set
		if err := json.Unmarshal(text, &s); err != nil {
			return nil, fmt.Errorf("read results: %s: %w", path, err)
		}
		sets = append(sets, s)
	}
	slices.SortStableFunc(sets, func(a, b Set) int { return a.At.Compare(b.At) })
	return sets, nil
}

// Workloads returns the names of the workloads in the order in which they were run.
func (s *Set) Workloads() []string {
	return s.distinct(func(r *Result) (string, bool) { return r.Workload, true })
}

// Targets returns the names of the targets of a workload in the order in which they were run.
func (s *Set) Targets(workload string) []string {
	return s.distinct(func(r *Result) (string, bool) { return r.Target, r.Workload == workload })
}

func (s *Set) distinct(name func(*Result) (string, bool)) []string {
	var names []string
	for i := range s.Results {
		if n, ok := name(&s.Results[i]); ok && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// Runs returns the results of a workload against a target, with a number of streams or, for 0, any.
func (s *Set) Runs(workload, target string, streams int) []*Result {
	var runs []*Result
	for i := range s.Results {
		r := &s.Results[i]
		if r.Workload == workload && r.Target == target && (streams == 0 || r.Params.Streams == streams) {
			runs = append(runs, r)
		}
	}
	return runs
}

// Streams returns the numbers of streams with which a workload was run, in increasing order.
func (s *Set) Streams(workload string) []int {
	var all []int
	for i := range s.Results {
		if r := &s.Results[i]; r.Workload == workload && !slices.Contains(all, r.Params.Streams) {
			all = append(all, r.Params.Streams)
		}
	}
	slices.Sort(all)
	return all
}

// Figure sums up a figure over the runs that did not fail.
func Figure(runs []*Result, name string) stat.Spread {
	var values []float64
	for _, r := range runs {
		if v, ok := r.Figures[name]; ok && r.Failure == "" {
			values = append(values, v)
		}
	}
	return stat.Spreads(values)
}

// Ratio sums up how many times larger a figure is in some runs than in others. Each run is held against the one
// of the same number alone, which met the machine at about the same time as a rule, and only if neither failed.
func Ratio(runs, bases []*Result, name string) stat.Spread {
	var values []float64
	for _, r := range runs {
		for _, b := range bases {
			if r.Run != b.Run || r.Failure != "" || b.Failure != "" {
				continue
			}
			if v, base := r.Figures[name], b.Figures[name]; v != 0 && base != 0 {
				values = append(values, v/base)
			}
		}
	}
	return stat.Spreads(values)
}
