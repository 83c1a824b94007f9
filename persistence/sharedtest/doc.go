// Package sharedtest is a persistence.Shared in the memory of one process, for tests of what stands on one: several
// nodes on one engine, which a test can cut off, and whose newest events it can take away. It passes the suite of all
// back ends, so that what holds on it is worth something.
//
// Goroutines: the follower of each node, from Open to Close.
//
// Caveats: it is a test double. Nodes share the very events, and nothing outlives the process.
package sharedtest
