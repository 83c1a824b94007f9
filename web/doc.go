// Package web holds the pages that a hub shows to people, embedded in the binary: the console, with which
// a browser subscribes to the hub, publishes to it, reads tokens, walks the history and looks at subscriptions.
//
// The pages are what is in the folder console, byte for byte: HTML, one style sheet and ES modules, written by
// hand, without a build step and without code of others. They talk to the hub that serves them, through
// the same addresses as any other client, and to nothing else; Policy has the browser enforce that. They have no
// rights of their own: what they may do is what the token that is typed into them grants.
//
// The package starts no goroutine, does no I/O after the program has started and imports no room.
package web
