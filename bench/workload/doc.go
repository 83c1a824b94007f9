// Package workload holds the loads that a hub is put under: each is a name, the parameters it has when
// none are given, and what it does with a running target.
//
// A workload drives the streams in its own goroutine and the publishers in a second one, which it joins; the one
// that takes profiles asks for each in a goroutine of its own, and joins them too.
// It counts every delivery on every stream: a run in which one was lost, doubled or out of order
// returns an error, and its figures do not count.
package workload
