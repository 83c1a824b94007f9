package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hubd/bench/result"
)

// ErrNoResults is returned when there is nothing to report.
var ErrNoResults = errors.New("no full results: run the load program first")

// Workload names a workload; the page has them in the order in which they are given.
type Workload struct{ Name, Title string }

// Options say where the report comes from and goes to.
type Options struct {
	// Results is the directory of results. Charts are written into it too.
	Results string
	// Notes is a file with a section for each workload that something is to be said about; it may be absent.
	Notes string
	// Output is the page to write.
	Output string
	// Workloads are what the page may speak of.
	Workloads []Workload
}

// Write reads the results and writes the page and its charts. It tells out what it has written.
func Write(o Options, out io.Writer) error {
	sets, err := result.Load(o.Results)
	if err != nil {
		return err
	}
	p := &page{newest: newest(sets), notes: make(map[string]string)}
	if len(p.newest) == 0 {
		return fmt.Errorf("%s: %w", o.Results, ErrNoResults)
	}
	notes, err := os.ReadFile(o.Notes)
	switch {
	case err == nil:
		p.notes = parseNotes(string(notes))
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read the notes: %w", err)
	}
	if p.charts, err = filepath.Rel(filepath.Dir(o.Output), o.Results); err != nil {
		return fmt.Errorf("find the way from the page to its charts: %w", err)
	}
	p.charts = filepath.ToSlash(p.charts)
	for _, f := range p.write(o.Workloads) {
		path := filepath.Join(o.Results, f.name)
		if err := os.WriteFile(path, []byte(f.svg), 0o644); err != nil {
			return fmt.Errorf("write a chart: %w", err)
		}
		fmt.Fprintln(out, "wrote", path)
	}
	if err := os.WriteFile(o.Output, []byte(p.String()), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	fmt.Fprintln(out, "wrote", o.Output)
	return nil
}

// newest returns the newest full set of each workload.
func newest(sets []result.Set) map[string]*result.Set {
	latest := make(map[string]*result.Set)
	for i := range sets {
		if sets[i].Quick {
			continue
		}
		for _, name := range sets[i].Workloads() {
			latest[name] = &sets[i]
		}
	}
	return latest
}
