// Package target holds the servers that the load program can be pointed at, and how each is spoken to: a
// Mercure hub that it builds and starts or one that runs elsewhere, Nchan, and the bare loop of package
// limit.
//
// A Proxy stands between the streams and a hub and ends TLS. A local target is none: it names what is measured
// within the load program.
//
// A target that was started has its own temporary directory, which Stop removes, and its own processes,
// which Stop ends by their id. The package's only goroutines are those of package process.
package target
