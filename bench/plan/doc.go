// Command plan computes how many nodes a number of streams takes, what that asks of the engine behind them, and how long
// the streams of a node that dies take to be back. The costs that it starts from are measured ones, of BENCHMARKS.md.
//
// A simulation checks the arithmetic of the way back, where chance plays a part: which node a client finds and when
// it comes. It owns no goroutine and does no I/O but to print.
package main
