// Package engines runs the servers that hubs share a log on, for tests: a real process, or one embedded in the test,
// on free ports of the loopback and with its data in a temporary directory. A test can kill it, stop it in its tracks
// and start it again on the same port and data.
//
// Goroutines: one for each process, which ends with it. A server ends with the test that started it, or with the
// TestMain that did.
package engines
