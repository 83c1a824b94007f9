// Command idletls measures what streams over TLS cost the hub: its memory for each stream that does nothing, and its
// processor time for each delivery, over HTTP/1.1 and over HTTP/2 with one, six and a hundred streams to a connection,
// beside plain HTTP/1.1.
//
//	go run ./bench/idletls                       # 2,000 streams of each kind
//	go run ./bench/idletls -streams 500 -seconds 3
//
// It builds the hub, starts one with an empty store and a certificate of its own for each kind of stream, and ends it by
// its process id. Clients are those of Go's standard library; their cost is not part of any figure.
//
// Caveats: Linux only. Memory is the growth of the resident set, after a rest, divided by the streams, so that the
// kernel's socket buffers are not in it.
package main
