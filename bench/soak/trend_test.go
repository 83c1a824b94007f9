//go:build linux

package main

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"hubd/internal/churn"
)

func TestSlope(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		x, y []float64
		want float64
	}{
		"a line":            {[]float64{0, 1, 2, 3}, []float64{5, 7, 9, 11}, 2},
		"level":             {[]float64{0, 1, 2}, []float64{4, 4, 4}, 0},
		"noise on a level":  {[]float64{0, 1, 2, 3}, []float64{1, 2, 2, 1}, 0},
		"one moment":        {[]float64{1, 1}, []float64{1, 2}, 0},
		"falling":           {[]float64{0, 2, 4}, []float64{3, 2, 1}, -0.5},
		"noise on a slope":  {[]float64{0, 1, 2, 3}, []float64{0, 2, 1, 3}, 0.8},
		"nothing to go by":  {nil, nil, 0},
		"not where x is 0":  {[]float64{10, 11}, []float64{1, 4}, 3},
		"points unordered":  {[]float64{2, 0, 1}, []float64{4, 0, 2}, 2},
		"distances differ":  {[]float64{0, 10, 11}, []float64{0, 10, 11}, 1},
		"large and level":   {[]float64{0, 1, 2}, []float64{1e9, 1e9, 1e9}, 0},
		"a single sample":   {[]float64{3}, []float64{3}, 0},
		"two of one height": {[]float64{0, 5}, []float64{7, 7}, 0},
	} {
		if got := slope(test.x, test.y); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: slope is %g, want %g", name, got, test.want)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	run := func(grow func(i int, f *churn.Footprint)) []sample {
		var samples []sample
		for i := range 10 {
			s := sample{at: time.Duration(i) * time.Minute, clients: int64(i) * 10_000}
			s.Footprint = churn.Footprint{Heap: 10 << 20, Goroutines: 50, Files: 12, Topics: 1}
			grow(i, &s.Footprint)
			samples = append(samples, s)
		}
		return samples
	}
	for name, test := range map[string]struct {
		samples []sample
		leaks   string
	}{
		"level":               {run(func(int, *churn.Footprint) {}), ""},
		"warming up":          {run(func(i int, f *churn.Footprint) { f.Heap += min(i, 3) << 20 }), ""},
		"noise":               {run(func(i int, f *churn.Footprint) { f.Heap += (i % 2) << 16 }), ""},
		"heap":                {run(func(i int, f *churn.Footprint) { f.Heap += i << 20 }), "heap bytes"},
		"a goroutine in 1000": {run(func(i int, f *churn.Footprint) { f.Goroutines += 10 * i }), "goroutines"},
		"a file in 1000":      {run(func(i int, f *churn.Footprint) { f.Files += 10 * i }), "open files"},
		"a topic in 1000":     {run(func(i int, f *churn.Footprint) { f.Topics += 10 * i }), "actors"},
		"a stream in 1000":    {run(func(i int, f *churn.Footprint) { f.Subscribers += 10 * i }), "actors"},
	} {
		var out strings.Builder
		err := report(&out, test.samples)
		if (test.leaks == "") != (err == nil) || err != nil && (!errors.Is(err, errLeak) || !strings.Contains(err.Error(), test.leaks)) {
			t.Errorf("%s: %v, want a leak of %q\n%s", name, err, test.leaks, out.String())
		}
		if !strings.Contains(out.String(), "by hour") {
			t.Errorf("%s: no slopes:\n%s", name, out.String())
		}
	}
	if err := report(new(strings.Builder), run(func(int, *churn.Footprint) {})[:4]); err == nil {
		t.Error("four samples are enough for a line")
	}
}
