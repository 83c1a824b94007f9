//go:build race

package hubtest

// raceEnabled makes the hub run under the race detector when its tests do.
const raceEnabled = true
