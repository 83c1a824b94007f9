// Package persistence owns the log of events: the interface that every back end implements, the ids
// that turn back into positions, the events kept in memory for readers, and the actor that writes.
//
// The parts, from the publisher to the reader:
//
//   - Store is what publishers call. It bounds what may wait (credits), hands each event to the
//     persistence actor and blocks until the event is committed or refused.
//   - The persistence actor is the only caller of Log.Append. It gathers what waits in its mailbox
//     into one batch, which is one transaction of the back end, and answers every publisher. It does
//     not linger; it only lets those publishers go first that can run already. The transitions are
//     those of batcher, which a test drives without an actor system.
//   - Log is a back end. The sub-packages memory and bolt implement it here; logtest holds the one
//     suite that each of them passes.
//   - Shared is a Log that several hubs have open at once, on a server; Board is what they tell each other beside it.
//     Follower keeps the Feed of such a log up with what other hubs append. The sub-packages redis, postgres and
//     jetstream implement them, and sharedtest does for tests.
//   - Feed is what back ends share: the extent of the log, a Ring of the newest events and the tails
//     that follow it.
//
// Goroutines: the actor runs on one goroutine of its own from NewStore on, which Stop joins. A Follower has one
// from Start on, which its Stop joins. The package starts no other. Publishers run Store.Append on their own goroutines,
// readers run Log.Find, Log.Read and Tail.Next on theirs.
//
// Invariants: an event is visible to readers only after its commit. The extent moves in one step, so
// no reader sees a head without the events up to it, and no tail returns an event that is not within
// the extent yet. Recent events are read without any lock and never wait for a commit.
//
// Caveats: a Store that failed lets one append through now and then to see whether the back end has
// recovered; see Store.Err. An event is immutable once it is placed: nobody may change a frame.
package persistence
