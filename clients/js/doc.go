// Package js embeds the JavaScript client, so that a Go program can serve it to its pages: the examples do.
//
// The client itself is the ES module index.js with its declarations, index.d.ts; README.md says how to use it. The
// package starts no goroutine, does no I/O and imports no room.
package js
