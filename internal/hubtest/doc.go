// Package hubtest runs a real hub for tests: the hubd binary as a process of its own, on free loopback
// ports and a store in a temporary directory, spoken to over TCP. The SSE client is one that this
// project did not write. On Linux a hub can run in namespaces of its own, as a container does.
//
// A Process, its goroutines and its streams end with the test that started them. A hub in a container has a
// goroutine that dials inside its network; its thread ends with it.
package hubtest
