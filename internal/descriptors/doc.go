// Package descriptors makes room for file descriptors ahead of their use.
//
// Linux doubles a process's table of descriptors whenever it is full. In a process of several threads, whoever opens the
// descriptor that does not fit waits until every processor has passed a quiescent state (expand_fdtable in fs/file.c), 10 ms and more
// each time, while connections wait to be accepted. A table never shrinks.
package descriptors
