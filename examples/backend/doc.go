// Package backend is what the servers of the examples have in common: a hub, started for the occasion or another one that
// is named, tokens for its subscribers, publishing, and an HTTP server with a page, the JavaScript client and
// strict headers.
//
// Main owns the server's goroutine, the hub's process and its reader, and joins them before it returns. The key of the hub
// stays in this process and the hub's; pages get tokens only.
//
// The hub that is started keeps its history in memory: it ends with the example.
package backend
