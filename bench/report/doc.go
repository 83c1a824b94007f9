// Package report turns results into what people read: tables on the terminal, BENCHMARKS.md with the
// project's goals and the figures of other hubs beside ours, and charts in SVG.
//
// It is pure but for Write, which reads the results and writes the files. It starts no goroutine.
package report
