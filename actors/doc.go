// Package actors is the live half of the hub: it follows the log and carries every event to the
// streams that want it.
//
// A store is a log, and every subscriber is a cursor on that log. The hub actor is the sequencer: it
// reads the committed events in order, a batch at a time, and shows each to the topic actors that it
// addresses. A topic actor knows who follows its topic. What a batch holds for one audience (the
// subscribers of one lane with the same matchers and the same grants) is concatenated once and posted to the audience. In
// the audience's turn a worker hands it to each of the subscriber actors, which own a connection, a cursor and the reason for
// ending.
//
// Order: topic actors run on the synchronized dispatcher with the hub actor as their only sender, so
// the whole fan-out of an event happens in log order without a goroutine switch, and no two topics
// race towards a subscriber (invariant I2). Subscriber actors run in parallel on all cores. What the hub actor tells a member of
// an audience is posted there too, so it keeps its place among the batches.
//
// Bounds: a mailbox here has no bound of its own. What may wait for a subscriber is counted in bytes; past the
// bound the subscriber leaves its audience, forgets what waits and goes back to reading the
// log from its cursor. A slow stream costs a cursor, not memory, and loses nothing that is retained.
//
// Back-pressure: a round of the fan-out waits while the workers have enough in hand, and publishes wait while the
// fan-out is far behind the log; both look at the hub's own lag, never at a client's. Pages of history under way are
// as many as there are replayers.
//
// A subscriber's life:
//
//	opening ──joined──> live ──overflow──> reading
//	   │                 ^                   │    ^
//	   │ has a cursor    │ joined,           │    │ joined, the
//	   └────────────> reading ──at head──> joining │ cursor is behind
//	                     ^                   └────┘
//	any ──hang-up, stall, expiry, drain ...──> ended ──left──> (actor stopped)
//
// Goroutines: the workers, one for each core, which run the subscriber actors, a lane at a time; those of the actor
// system, which end when idle; the replayers, which read pages for subscribers
// that are behind; the wheel's, which wakes subscribers for heartbeats and deadlines. Hub.Stop joins them.
//
// What an actor does on a message is plain Go in the sequencer, topic and Subscriber types, driven by
// tests without an actor system; Receive only adapts.
package actors
