// Package logtest is the suite that every back end passes, and the benchmark that compares them.
//
// A back end describes itself in a Backend and calls Run from one of its tests and Benchmark from one
// of its benchmarks. The suite drives logs through the persistence.Log interface and holds each of
// them against a model: a list of all events appended and a naive reading of the retention. What a
// back end cannot do by nature, such as surviving a restart in memory, it does not offer, and the suite
// skips that; it skips nothing else.
//
// A back end that several nodes have open at once also calls RunShared and RunBoard. The latter drives the views that two
// nodes have of one board; leases end by the engine's clock, so its tests use leases of a millisecond and ask until they
// have ended.
//
// The package owns no goroutine beyond a test and keeps nothing between tests.
package logtest
