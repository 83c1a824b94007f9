//go:build linux

package workload

import (
	"testing"

	"hubd/bench/target"
)

func TestSelectorCache(t *testing.T) {
	t.Parallel()
	w := named(t, "selector-cache")
	p := w.Default
	p.Count, p.CacheBytes = 2000, 1<<20
	for _, name := range w.Local {
		r, err := w.Run(t.Context(), target.Local(name), p, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Figures) != 6 || r.Figures["hits_at_skew_1.3_share"] <= r.Figures["hits_at_skew_0.7_share"] {
			t.Errorf("%s: %v", name, r.Figures)
		}
	}
}
