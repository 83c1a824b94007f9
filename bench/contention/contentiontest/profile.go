// Package contentiontest makes profiles for tests.
package contentiontest

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// Wait is one sample of a profile: its stack, the innermost function first.
type Wait struct {
	Stack []string
	Waits int64
	Delay time.Duration
}

// Profile encodes a profile as a Go process writes it.
func Profile(t testing.TB, waits ...Wait) []byte {
	t.Helper()
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "contentions", Unit: "count"}, {Type: "delay", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "contentions", Unit: "count"}, Period: 1,
	}
	for _, w := range waits {
		s := &profile.Sample{Value: []int64{w.Waits, int64(w.Delay)}}
		for _, name := range w.Stack {
			f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
			l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
			p.Function, p.Location, s.Location = append(p.Function, f), append(p.Location, l), append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
