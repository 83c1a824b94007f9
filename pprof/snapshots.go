package pprof

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// maxSnapshots and maxSnapshotBytes bound what is kept for comparing; the oldest go first.
	maxSnapshots     = 16
	maxSnapshotBytes = 16 << 20
)

var (
	errKind       = errors.New("kind is none of heap, goroutine, cpu, mutex and block")
	errNoSnapshot = errors.New("there is no such snapshot; only the newest are kept")
)

// snapshot is a profile that is kept to be looked at. It is not changed once it was made.
type snapshot struct {
	ID int `json:"id"`
	// Kind is the name on the page; profile is the runtime's.
	Kind string `json:"kind"`
	// Time is in milliseconds since 1970.
	Time    int64   `json:"time"`
	Seconds float64 `json:"seconds,omitempty"`
	// Streams were open when it was taken.
	Streams int64 `json:"streams"`
	Bytes   int   `json:"bytes"`

	profile []byte
}

// profileOf returns the runtime's name of a kind and whether it is taken for some seconds.
func profileOf(kind string) (name string, timed bool, err error) {
	switch kind {
	case "heap", "goroutine":
		return kind, false, nil
	case "mutex", "block":
		return kind, true, nil
	case "cpu":
		return "profile", true, nil
	}
	return "", false, errKind
}

// snapshots are the newest ones, in memory.
type snapshots struct {
	// mu guards what follows, for the length of a list of at most maxSnapshots.
	mu   sync.Mutex
	last int
	kept []*snapshot
}

// add keeps a profile and returns what it is listed as.
func (s *snapshots) add(kind string, at time.Time, lasted time.Duration, streams int64, profile []byte) (*snapshot, error) {
	if len(profile) > maxSnapshotBytes {
		return nil, fmt.Errorf("keep a profile of %d bytes: %w", len(profile), errTooLarge)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	n := &snapshot{ID: s.last, Kind: kind, Time: at.UnixMilli(), Seconds: lasted.Seconds(), Streams: streams, Bytes: len(profile), profile: profile}
	s.kept = append(s.kept, n)
	size := 0
	for _, k := range s.kept {
		size += k.Bytes
	}
	for len(s.kept) > maxSnapshots || size > maxSnapshotBytes {
		size -= s.kept[0].Bytes
		s.kept[0] = nil // the slice keeps its array
		s.kept = s.kept[1:]
	}
	return n, nil
}

// list returns what is kept, oldest first.
func (s *snapshots) list() []*snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*snapshot{}, s.kept...)
}

// find returns a snapshot by its number.
func (s *snapshots) find(id int) (*snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.kept, func(k *snapshot) bool { return k.ID == id }); i >= 0 {
		return s.kept[i], nil
	}
	return nil, fmt.Errorf("snapshot %d: %w", id, errNoSnapshot)
}
