// Package cluster is what hubs that share a store tell each other beside the history: who is subscribed where, and which
// tokens are revoked. Both stand on boards of the store (persistence.Board), so that there is nothing else to run, and a
// hub needs to reach no other.
//
// Presence puts the subscriptions of this node on the board "presence" under a lease. Any node lists them all. When a
// node dies its lease ends, and the first that notices takes its entries and announces the ends:
//
//	put, as active ──event stored──> announced ──put, as leaving──> event stored ──> deleted
//	      │                              │               │
//	      └──────────────────────────────┴───────────────┴── lease ends ──> the heir's ──event stored──> deleted
//
// An entry is on the board before the event that says so is stored, and leaves it after the event of its end was: a node
// that dies at any moment leaves behind what has to be announced. The end may therefore be announced twice, and is never forgotten.
// A node that lives follows what the log says of its own subscriptions: where an heir says late that one has ended, it says anew that it is active.
//
// Revocations puts what was revoked on the board "revocations", which every node looks at each second. What is revoked
// here holds here at once, and elsewhere when the next look has been taken. No lease ends it, and nodes that start
// later read it before they serve.
//
// Goroutines: one for each of the two, from Start to Stop, which joins it. The others' methods run on the callers'.
//
// Invariants: a holder of the board "presence" is one process, never two, so an entry whose holder is not the node it
// names was inherited, and nobody is subscribed there. A revocation is taken off the board only after it has ended.
//
// Caveats: whether a revocation has ended is judged by each node's clock, leases by that of the engine. An entry is
// at most 64 KiB: a subscription whose matcher and payload take more is listed by its own node alone.
package cluster
