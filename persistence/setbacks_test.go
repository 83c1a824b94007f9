package persistence_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"hubd/persistence"
)

// TestSetbacks compares with looking at all events, for clocks that run in every way. The seed repeats a run.
func TestSetbacks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		var s persistence.Setbacks
		now, maxAge := time.Unix(1_000_000, 0), time.Duration(1+r.IntN(50))*time.Second
		var times []time.Time
		before := 0
		for range 300 {
			now = now.Add(time.Duration(r.IntN(5)) * time.Second)
			if r.IntN(10) == 0 {
				now = now.Add(time.Duration(r.IntN(200)-150) * time.Second)
			}
			times = append(times, now)
			s.Note(uint64(len(times)), now)
			want := before
			for i := before; i < len(times); i++ {
				if now.Sub(times[i]) > maxAge {
					want = i + 1
				}
			}
			got := max(before, int(s.Expired(now, maxAge)))
			for got < len(times) && now.Sub(times[got]) > maxAge {
				got++
			}
			if got != want {
				t.Fatalf("seed %d: %d of %d events are too old, want %d", seed, got, len(times), want)
			}
			before = want
			s.Forget(uint64(before))
		}
	}
}
