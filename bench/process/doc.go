// Package process starts the servers under test and reads what they cost from /proc: processor time,
// memory, threads and file descriptors, and a hub's own metrics and profiles.
//
// A Child belongs to the load program: it is ended by its process id when Stop is called, and by the
// kernel when the load program dies. One goroutine per child starts it, on a locked thread, and joins it.
// A Sampler has one goroutine, which Stop joins.
//
// Caveats: Linux only.
package process
