// Package memory is the log that keeps its events in memory and forgets them when the process ends.
//
// It owns the retained events and the table of the ids that publishers chose. It starts no goroutine.
// The lock that guards both is never held across I/O; tails and reads of recent events do not take it.
//
// Invariant: the events held are those of the extent that the feed shows, no more and no less,
// whenever the lock is free.
//
// Caveat: without a bound in the retention the log grows until memory is exhausted.
package memory
