// Package doctor examines a running hub from outside, as its clients see it: through whatever proxies stand between.
//
// Examine asks, in this order: whether the hub can be reached and with which certificate; which versions of the protocol
// it speaks and what it calls itself; whether a page of an origin may use it and cookies reach it; whether the admin
// server can be reached where the public can; whether an update can be published, arrives at once and again after a
// reconnect; how far the clocks are apart; the limits of the process, from its admin server; and last, for how long a
// stream may be silent. Each answer is a Finding with what to do about it.
//
// A check that needs what an earlier one did not find is left out or says that it was skipped, so the report always ends. Every
// wait is bounded by Options.Patience, that for a heartbeat by Options.Watch.
//
// What it leaves behind: two updates on a topic of its own, private where it may make tokens for both sides. Where
// a stream is silent it publishes up to bufferBytes more, to find out whether a proxy holds them back.
//
// Goroutines: each stream has one that reads it; closing the stream joins it. Examine leaves none behind. The clock is
// Options.Now.
//
// Tokens and keys are in no Finding.
package doctor
