// Command soak looks for leaks: clients come to a hub and leave in every phase of a connection's life, for as long as it
// is told, and between rounds it looks at what has stayed.
//
//	go run ./bench/soak                          # two minutes, a million clients on two cores
//	go run ./bench/soak -for 8h -round 1m
//
// It starts the hub of this module with an empty store on the loopback interface. After each round it waits until all
// clients are gone, makes the hub collect garbage, and takes a sample of heap, goroutines, open files and actors. A line
// is laid through the samples by least squares; the slopes are printed by hour and by a thousand clients. What leaks does so
// by the client, so the bounds are by the thousand of them, and the program exits with 1 when one is exceeded.
// The first third of the samples is left out: it is of tables, pools and the newest updates in memory, which fill to their bounds.
//
// Caveats: Linux only.
package main
