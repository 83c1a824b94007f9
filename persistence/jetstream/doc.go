// Package jetstream is the log that several hubs share in a stream of NATS JetStream. It is the only room that knows
// NATS. It needs servers of version 2.12 or later, for their atomic batches.
//
// # What is where
//
// A store is two streams. The one named in the URL, "hubd" unless said otherwise, holds the events: its metadata says
// that it is a hub's and holds the key of the ids, so that the stream and its key are made, copied and restored as one.
// A message holds one event whose publisher chose the id, under a subject that ends with the id's digest, or many whose
// ids follow from their positions. It also holds what the log is after it: the position of its last event and where the
// history begins. The second stream, "hubd-board", holds the boards and how far a node that opened the store cut the
// history. Nobody else may publish to either. No consumers are made: pages are direct gets, and the stream publishes
// the headers of what it committed to a subject that every node subscribes to, which is only a reason to look.
//
// # Promises
//
// Order: one, the stream's, on all nodes. A batch is published on condition that the stream's newest message is the one
// that the node knows; where another node was first the engine refuses it, and the node makes it again for the place
// after that. So positions have no gaps, what is retained changes in the very step that appends, whichever node
// appends, and a batch whose answer was lost is stored once however often it is sent.
//
// Durability: an acknowledged append is on the disks of most replicas' machines as far as their kernels wrote it. With
// "sync_interval: always" a server syncs before it answers; by default it does so every two minutes, and a machine that
// loses its power forgets what came since. kill -9 of a server loses nothing acknowledged either way.
//
// Failover: with three replicas one may be lost at any time. Appends fail or wait while a leader is chosen, mostly a few
// seconds; nothing acknowledged is lost, doubled or reordered. Where servers come back with less than they acknowledged,
// nodes that are still up make events without topics take the lost positions, so that no cursor points to another
// event than it did; after a backup was restored with all nodes down, positions are given again. A message that cannot
// be read, or that somebody removed, is passed over in the same way when a node comes to it.
//
// Completeness: what a reader is given follows on what it had, unless the engine itself says that the history begins
// later. Servers do not repeat what they sent to a connection that broke, so a page may come without its beginning; it
// is told from the sequences that the server puts into it, and from the positions.
//
// Retention: exact, as in all back ends. Messages that it took out of the history leave the stream a little later, when
// the events in them are many (256, and a sixteenth of those retained); nobody is given them meanwhile.
//
// # Goroutines
//
// A log has that of its follower, those of its connection, and none for tails. Close joins the follower and ends the
// connection, which ends its own.
//
// # Caveats
//
// An event must fit into a message: servers take 1 MiB unless max_payload says more, and a batch with a larger one is
// refused as a whole. An event whose publisher chose the id costs the engine a message of its own; on a stream with one
// replica, where a server stages each atomic batch in files, such batches take some ten milliseconds. An id that a
// publisher chose is a subject to the servers, which keep an index of all subjects retained in memory. Leases of boards
// are by the clock of whichever server leads. A stream that is purged by hand forgets its history; positions go on
// far beyond those that were in use. Where only its older messages are removed, by hand or by limits of the stream's
// own, their positions count as lost.
package jetstream
