package auth

import "time"

// KeySetStats are numbers about all key sets together.
type KeySetStats struct {
	// Fetched and Failed count the fetches that brought a set and those that did not.
	Fetched, Failed uint64
	// Age is the time since the last successful fetch of the set for which it is longest, or since the
	// Verifier was made if a set was never fetched; 0 where there are no sets.
	Age time.Duration
}

// KeySets returns the numbers as they are now.
func (v *Verifier) KeySets() KeySetStats {
	var stats KeySetStats
	for _, s := range v.sets {
		stats.Fetched += s.fetched.Load()
		stats.Failed += s.failed.Load()
		stats.Age = max(stats.Age, s.age())
	}
	return stats
}
