// Package load holds the two loops of the load program: one that reads event streams and one that
// publishes. Each is an epoll loop over non-blocking sockets in one goroutine, so fifteen thousand
// streams cost the load program no goroutine, and a delivered event well under a microsecond.
//
// Publishers are a loop too because it is the cheaper way: against the bare loop with 256 connections a publish
// takes 6 to 9 us of the load program, and 13 to 16 us with fasthttp's client and a goroutine per connection.
//
// Streams belongs to the goroutine that calls it, Publishers to the one that calls Run; they share
// nothing but the counters in Progress. Both end by themselves: every wait has a bound.
//
// A Tunnel lets the streams reach a server that speaks TLS, with two goroutines for each connection.
//
// Caveats: Linux and HTTP/1.1 only.
package load
