//go:build linux

package workload

import (
	"context"
	"fmt"

	"hubd/bench/cache"
)

// selectorCache measures how often a cache knows the answer, for topics of several skews, with and without a scan.
func selectorCache(ctx context.Context, s *session) error {
	measure := map[string]func(context.Context, cache.Options) (float64, error){
		selectorCacheName: cache.Selector, lruName: cache.LRU, equalLRUName: cache.EqualLRU,
	}[s.target.Name]
	for _, scan := range []bool{false, true} {
		for _, skew := range []float64{0.7, 1, 1.3} {
			hits, err := measure(ctx, cache.Options{Bytes: s.p.CacheBytes, Questions: int(s.p.Count), Skew: skew, Scan: scan})
			if err != nil {
				return err
			}
			name := fmt.Sprintf("hits_at_skew_%.1f", skew)
			if scan {
				name += "_with_scan"
			}
			s.r.Set(name+"_share", hits)
		}
	}
	return nil
}

// What selectorCache measures.
const (
	selectorCacheName = "selector cache"
	lruName           = "LRU, same memory"
	equalLRUName      = "LRU, as many answers"
)
