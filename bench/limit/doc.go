// Package limit is the bare loop that a hub is held against: it shows what the machine's kernel
// takes for the work, when nothing is done for it but the system calls.
//
// It answers every GET with the head of an event stream and every POST by writing one frame, with one write,
// to every stream, and then the response. It looks for the end of a request and for the data in its
// body, and does nothing else: no HTTP beyond that, no tokens, no matching, no store, no batches.
//
// It runs one or more loops, each a goroutine on its own thread with its own epoll instance, listening
// socket and streams. A frame is put into the inbox of every loop under one lock, so all streams get
// all frames in one order. Run joins the loops.
//
// Caveats: Linux only; for the load program alone. A request must come in one piece of at most 64 KiB,
// as the load program's do.
package limit
