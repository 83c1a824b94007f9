// Package contention reads the mutex and block profiles of a hub and says how long goroutines waited for
// each other on the way of an event from the log to the sockets. With it the load program holds the hub to its
// invariant I6: the hot path takes no lock that another goroutine can hold across I/O, and a mutex profile
// under load shows none.
//
// A sample is on the path when its stack has a function of the path: any of packages actors and topics, the
// ring, the feed and the tails of package persistence, and the streams and the poller of package sse. The
// block profile has the stacks of goroutines that waited, the mutex profile those of goroutines that held what
// others waited for; so a lock shows in both, and neither is added to the other.
//
// Not on the path are
//   - waits for what has to come first: of a worker for its next turn, and of a publisher for its commit or
//     for a fan-out that is behind;
//   - what is beside the path: the goroutines that read history for streams that are behind, announce
//     subscriptions and turn the wheel of deadlines, and the queue of those streams. What such a goroutine
//     holds while the path waits for it still shows, as the wait of the path;
//   - the locks inside the Go runtime, which no program can do without.
//
// Everything else counts: locks, condition variables, and channels, to send and to receive.
//
// Caveats: a profile holds all samples since the start of its process, so a hub that has been profiled before brings
// those along. The load program starts a hub for each run.
//
// The package starts no goroutine and does no I/O. A test holds the names of functions to the sources of the rooms,
// so that a new name is not a check that finds nothing.
package contention
