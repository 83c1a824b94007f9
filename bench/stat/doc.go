// Package stat holds the statistics of the load program: a histogram of durations with bounded error,
// and the median and spread of several runs. It is pure: no goroutine, no I/O, no clock.
package stat
