package handover

import (
	"fmt"
	"time"
)

// Timeouts bound the steps of a handover. Zero is the default.
type Timeouts struct {
	// Answer bounds every message that needs no work: greeting, sockets, a batch and its answer. 5 s.
	Answer time.Duration
	// Release bounds how long the holder may take to stop and close its store, and later each pause
	// of Giver.Streams between two streams. 10 s.
	Release time.Duration
	// Open bounds how long the newcomer may take to open the store. Then the holder tries to take it
	// back. 10 s.
	Open time.Duration
	// Resume bounds how long the holder may take to get its store back. 10 s.
	Resume time.Duration
}

// Defaults of Timeouts.
const (
	defaultAnswer = 5 * time.Second
	defaultWork   = 10 * time.Second
)

func (t Timeouts) withDefaults() (Timeouts, error) {
	for _, field := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&t.Answer, defaultAnswer}, {&t.Release, defaultWork}, {&t.Open, defaultWork}, {&t.Resume, defaultWork}} {
		if *field.value < 0 {
			return t, fmt.Errorf("a time-out of %s is negative", *field.value)
		}
		if *field.value == 0 {
			*field.value = field.fallback
		}
	}
	return t, nil
}
