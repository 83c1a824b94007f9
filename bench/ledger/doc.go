// Package ledger checks deliveries: that every stream of a group received every update exactly once, in
// one order that is the same for all of them.
//
// A group is a set of streams that are owed the same updates. The stream that is ahead of the
// others writes the ledger: what it receives next is checked against the publishers' own numbering (each
// lane counts 0, 1, 2 and so on, and sends a number only when the one before was acknowledged, so
// the log's order must keep it) and becomes the reference. Every other stream is checked against that
// reference, event by event. So a lost, doubled, reordered, misrouted or altered event on any
// stream is found, and named by stream and event.
//
// The reference keeps the bytes as they were received. A stream whose next bytes are equal to them
// has received the same events, which is found out by comparing memory, many times faster than by
// parsing; where the bytes differ, as at a heartbeat, the events are parsed and compared by field.
//
// The package starts no goroutine, does no I/O and reads no clock. A group and its readers belong to one
// goroutine.
package ledger
