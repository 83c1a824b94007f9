// Package cache measures the hit rate of the selector cache, as package topics uses it, and of a plain LRU in
// the same memory, on the same questions: topics drawn with a skew, and topics that are asked for once mixed in.
//
// It starts no goroutine but those of the selector cache, which Measure joins.
package cache
