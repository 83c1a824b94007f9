package pprof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/pprof/profile"
)

// stack is the calls of a sample, the innermost first, and its value.
type stack struct {
	value int64
	calls []string
}

// made returns a snapshot of a goroutine profile with the stacks. The line of a function is the length of its name.
func made(t testing.TB, id int, stacks ...stack) *snapshot {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "goroutine", Unit: "count"}}, PeriodType: &profile.ValueType{}}
	locations := map[string]*profile.Location{}
	for _, s := range stacks {
		sample := &profile.Sample{Value: []int64{s.value}}
		for _, name := range s.calls {
			l := locations[name]
			if l == nil {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, Filename: "file.go"}
				l = &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f, Line: int64(len(name))}}}
				p.Function, p.Location = append(p.Function, f), append(p.Location, l)
				locations[name] = l
			}
			sample.Location = append(sample.Location, l)
		}
		p.Sample = append(p.Sample, sample)
	}
	var content bytes.Buffer
	if err := p.Write(&content); err != nil {
		t.Fatal(err)
	}
	return &snapshot{ID: id, Kind: "goroutine", Bytes: content.Len(), profile: content.Bytes()}
}

func TestComparisonCountsByFunction(t *testing.T) {
	t.Parallel()
	base := made(t, 1, stack{3, []string{"park", "serve", "main"}}, stack{2, []string{"gone", "main"}})
	of := made(t, 2, stack{10, []string{"park", "serve", "main"}}, stack{1, []string{"serve", "serve", "main"}})
	c, err := compare(of, base, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Total != 11 || c.Base != 5 || c.Unit != "count" || c.Measure != "goroutine" || c.Left != 0 {
		t.Errorf("comparison %+v", c)
	}
	want := map[string]function{
		"park":  {Flat: 10, Cum: 10, FlatBase: 3, CumBase: 3, Where: "file.go:4"},
		"serve": {Flat: 1, Cum: 11, FlatBase: 0, CumBase: 3, Where: "file.go:5"},
		"main":  {Flat: 0, Cum: 11, FlatBase: 0, CumBase: 5, Where: "file.go:4"},
		"gone":  {Flat: 0, Cum: 0, FlatBase: 2, CumBase: 2, Where: "file.go:4"},
	}
	if len(c.Functions) != len(want) || c.Functions[0].Name != "serve" {
		t.Errorf("%d functions, first %s", len(c.Functions), c.Functions[0].Name)
	}
	for _, f := range c.Functions {
		w := want[f.Name]
		w.Name, w.lines, f.lines = f.Name, nil, nil
		if fmt.Sprint(*f) != fmt.Sprint(w) {
			t.Errorf("%s is %+v, want %+v", f.Name, *f, w)
		}
	}
	main := c.Flame.Children[0]
	if c.Flame.Value != 11 || c.Flame.Base != 5 || main.Name != "main" || len(main.Children) != 2 {
		t.Fatalf("flame graph %+v", c.Flame)
	}
	if serve := main.Children[0]; serve.Name != "serve" || serve.Value != 11 || serve.Base != 3 || len(serve.Children) != 2 {
		t.Errorf("below main is %+v", serve)
	}
	if gone := main.Children[1]; gone.Name != "gone" || gone.Value != 0 || gone.Base != 2 {
		t.Errorf("beside serve is %+v", gone)
	}
}

func TestComparisonIsBounded(t *testing.T) {
	t.Parallel()
	// Each of 1,000 branches is wide enough to be seen, and ten calls deep.
	const branches, depth = 1000, 10
	var stacks []stack
	for i := range branches {
		var calls []string
		for level := range depth {
			calls = append(calls, fmt.Sprintf("call%d.%d", i, level))
		}
		stacks = append(stacks, stack{int64(1 + i%2), calls})
	}
	c, err := compare(made(t, 1, stacks...), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	var count func(n *node) int
	count = func(n *node) int {
		sum := 1
		for _, child := range n.Children {
			sum += count(child)
		}
		return sum
	}
	if nodes := count(c.Flame); nodes > maxNodes {
		t.Errorf("the flame graph has %d nodes", nodes)
	}
	if len(c.Functions) != maxFunctions || c.Left != branches*depth-maxFunctions {
		t.Errorf("%d functions and %d left", len(c.Functions), c.Left)
	}
}

func TestComparisonRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	good := made(t, 1, stack{1, []string{"f"}})
	if _, err := compare(good, nil, "inuse_space"); !errors.Is(err, errMeasure) {
		t.Errorf("another measure: %v", err)
	}
	bad := &snapshot{ID: 2, Kind: "goroutine", profile: []byte("no profile")}
	if _, err := compare(bad, nil, ""); err == nil {
		t.Error("no profile was read")
	}
	if _, err := compare(good, bad, ""); err == nil {
		t.Error("no earlier profile was read")
	}
}

// Names are whatever a binary says. In JSON they cannot end a script, a tag or an attribute.
func TestNamesAreEscapedInJSON(t *testing.T) {
	t.Parallel()
	c, err := compare(made(t, 1, stack{1, []string{hostile}}), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(content, "<>&") {
		t.Errorf("markup in %s", content)
	}
}

func TestSnapshotsAreBounded(t *testing.T) {
	t.Parallel()
	var s snapshots
	add := func(size int) error {
		_, err := s.add("heap", fixed, 0, 0, make([]byte, size))
		return err
	}
	for range 3 * maxSnapshots {
		if err := add(10); err != nil {
			t.Fatal(err)
		}
	}
	if kept := s.list(); len(kept) != maxSnapshots || kept[0].ID != 2*maxSnapshots+1 {
		t.Errorf("%d snapshots are kept from number %d on", len(kept), kept[0].ID)
	}
	if _, err := s.find(1); !errors.Is(err, errNoSnapshot) {
		t.Errorf("the first snapshot: %v", err)
	}
	for range 3 {
		if err := add(maxSnapshotBytes / 2); err != nil {
			t.Fatal(err)
		}
	}
	if kept := s.list(); len(kept) != 2 {
		t.Errorf("%d snapshots of half the bytes are kept", len(kept))
	}
	if err := add(maxSnapshotBytes + 1); !errors.Is(err, errTooLarge) || len(s.list()) != 2 {
		t.Errorf("a snapshot larger than all: %v", err)
	}
}
