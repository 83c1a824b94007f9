// Package result holds what a run of the load program has measured, in the form in which it is kept:
// JSON files with every figure, the parameters, and the commit and machine they belong to.
//
// A figure's unit is the end of its name: _seconds, _bytes, _per_second, _share, or _count. The package
// starts no goroutine.
package result
