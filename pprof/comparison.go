package pprof

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"
)

// maxFunctions bounds the table of a comparison.
const maxFunctions = 200

var errMeasure = errors.New("the profile has no such measure")

// comparison is what a profile holds, by function and by stack, beside what an earlier one held.
type comparison struct {
	Kind string `json:"kind"`
	// Measures are what the profile counts; Measure is the one shown, in Unit.
	Measures []string `json:"measures"`
	Measure  string   `json:"measure"`
	Unit     string   `json:"unit"`
	// Total is the sum of the profile, Base that of the earlier one, 0 without one.
	Total int64 `json:"total"`
	Base  int64 `json:"base"`
	// Functions are those with the largest differences, or the largest values if there is nothing to compare with.
	Functions []*function `json:"functions"`
	// Left is how many further functions there are.
	Left  int   `json:"left"`
	Flame *node `json:"flame"`
}

// function is what one function has in both profiles. Names are whatever the binary says: untrusted text.
type function struct {
	Name string `json:"name"`
	// Where is the file and line that most of it comes from.
	Where string `json:"where"`
	// Flat is of the function itself, Cum of what it calls too; FlatBase and CumBase were before.
	Flat     int64 `json:"flat"`
	Cum      int64 `json:"cum"`
	FlatBase int64 `json:"flatBase"`
	CumBase  int64 `json:"cumBase"`

	lines map[string]int64
}

// weight orders functions: by what has changed, in themselves or below.
func (f *function) weight() int64 { return max(abs(f.Flat-f.FlatBase), abs(f.Cum-f.CumBase)) }

func abs(n int64) int64 { return max(n, -n) }

// compare reads a profile, and an earlier one of the same kind unless base is nil.
func compare(of, base *snapshot, measure string) (*comparison, error) {
	after, err := profile.ParseData(of.profile)
	if err != nil {
		return nil, fmt.Errorf("read snapshot %d: %w", of.ID, err)
	}
	c := &comparison{Kind: of.Kind}
	for _, t := range after.SampleType {
		c.Measures = append(c.Measures, t.Type)
	}
	c.Measure = cmp.Or(measure, usualMeasure(of.Kind))
	i := slices.Index(c.Measures, c.Measure)
	if i < 0 {
		return nil, fmt.Errorf("%w: %q", errMeasure, c.Measure)
	}
	c.Unit = after.SampleType[i].Unit
	t := newTally()
	c.Total = t.add(after, i, false)
	if base != nil {
		before, err := profile.ParseData(base.profile)
		if err != nil {
			return nil, fmt.Errorf("read snapshot %d: %w", base.ID, err)
		}
		if i >= len(before.SampleType) || before.SampleType[i].Type != c.Measure {
			return nil, fmt.Errorf("%w: %q", errMeasure, c.Measure)
		}
		c.Base = t.add(before, i, true)
	}
	c.Functions, c.Left = t.heaviest()
	c.Flame = t.root.pruned(max(c.Total, c.Base))
	return c, nil
}

// usualMeasure is the one that a kind is looked at for.
func usualMeasure(kind string) string {
	switch kind {
	case "heap":
		return "inuse_space"
	case "mutex", "block":
		return "delay"
	}
	return kind
}

// tally adds profiles up by function and by stack.
type tally struct {
	functions map[string]*function
	root      *node
}

func newTally() *tally {
	return &tally{functions: map[string]*function{}, root: &node{Name: "all"}}
}

// frame is one call of a stack; calls that were inlined count as calls.
type frame struct{ name, where string }

// frames returns the calls of a stack, the innermost first.
func frames(s *profile.Sample) []frame {
	var all []frame
	for _, location := range s.Location {
		if len(location.Line) == 0 {
			all = append(all, frame{name: fmt.Sprintf("%#x", location.Address)})
		}
		for _, line := range location.Line {
			if line.Function == nil {
				continue
			}
			all = append(all, frame{name: line.Function.Name, where: fmt.Sprintf("%s:%d", line.Function.Filename, line.Line)})
		}
	}
	return all
}

// add adds one measure of a profile, as the earlier one or the one looked at, and returns its sum.
func (t *tally) add(p *profile.Profile, measure int, base bool) (total int64) {
	for _, s := range p.Sample {
		value := s.Value[measure]
		if value == 0 {
			continue
		}
		total += value
		calls := frames(s)
		seen := make(map[string]bool, len(calls))
		for i, call := range calls {
			if seen[call.name] {
				continue // recursion counts once
			}
			seen[call.name] = true
			t.count(call, value, i == 0, base)
		}
		t.root.add(calls, value, base)
	}
	return total
}

func (t *tally) count(call frame, value int64, flat, base bool) {
	f := t.functions[call.name]
	if f == nil {
		f = &function{Name: call.name, lines: map[string]int64{}}
		t.functions[call.name] = f
	}
	switch {
	case base && flat:
		f.FlatBase += value
		fallthrough
	case base:
		f.CumBase += value
		f.lines[call.where] -= value
		return
	case flat:
		f.Flat += value
	}
	f.Cum += value
	f.lines[call.where] += value
}

// heaviest returns the functions of most weight, those in order, and how many are left out.
func (t *tally) heaviest() (found []*function, left int) {
	found = make([]*function, 0, len(t.functions))
	for _, f := range t.functions {
		f.Where = heaviestLine(f.lines)
		found = append(found, f)
	}
	slices.SortFunc(found, func(a, b *function) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), cmp.Compare(abs(b.Flat-b.FlatBase), abs(a.Flat-a.FlatBase)), cmp.Compare(a.Name, b.Name))
	})
	if left = len(found) - maxFunctions; left > 0 {
		return found[:maxFunctions], left
	}
	return found, 0
}

// heaviestLine returns the line that differs most.
func heaviestLine(lines map[string]int64) (where string) {
	most := int64(-1)
	for line, value := range lines {
		if v := abs(value); v > most || v == most && line < where {
			where, most = line, v
		}
	}
	return where
}
