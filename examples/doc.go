// Package examples holds small applications that use a hub: a chat, a live dashboard, an assistant whose answers are
// streamed, and notifications. README.md says how to start them. Each folder is a program with its page; package
// backend is what their servers have in common.
//
// This package itself has nothing but the tests of the examples, in a browser.
package examples
