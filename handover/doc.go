// Package handover is how a new hub takes over the store, the listening sockets and the live streams from
// the hub that holds the store, so that an upgrade ends no stream and loses no publish.
//
// The holder is the process that has the store locked. It listens on a Unix socket beside the store's
// file. The newcomer found the lock held and dials. They talk in this order:
//
//	newcomer                                   holder (Giver's method)
//	  hello      ───────────────────────────>    Consider
//	             <───────────────  welcome, or refusal with the reason
//	             <───────────────  listeners     sockets, if agreed
//	                                             Release
//	             <───────────────  released
//	  opens the store
//	  opened     ───────────────────────────>    Opened
//	             <───────────────  batch         Streams: sockets and states
//	  taken      ───────────────────────────>    up to a window of batches under way
//	             <───────────────  done
//	  confirmed  ───────────────────────────>
//
// The lock of the store decides, this protocol only moves it: whatever breaks, the hub that has the lock
// serves and the other waits for it. Until the newcomer has said opened, the holder takes everything back
// (Giver.Resume) when the newcomer dies, fails, falls silent or breaks the protocol. From opened on
// the newcomer is the hub, and a break costs only the streams that were not moved yet; they resume
// elsewhere by their cursors. As long as somebody listens, hubs outside the session leave the store alone (Attended), free or not:
// between released and opened it is nobody's. A newcomer for which any step fails closes the session and waits for
// the lock, which is what hubs do that never heard of each other.
//
// A stream has one writer at any moment. It is the holder's until it is given and the newcomer's as soon
// as it was sent; a stream of a batch that was sent and not answered may have been written to, so it counts
// as taken and the holder closes its copy without a word.
//
// On the wire a frame is a header (magic, kind, number of descriptors, length of the payload) and a bounded
// payload, JSON for control messages with unknown fields ignored, binary for batches. Descriptors travel
// with the header's first byte (SCM_RIGHTS of unix(7)). The hello states a range of protocol versions and
// the welcome the highest that both speak; without one there is a refusal.
//
// Trust: both sides ask the kernel who the peer is (SO_PEERCRED) and accept only their own user and root.
// The socket has mode 0600. Beyond that a peer is not trusted to be sane: every size has a bound, every wait
// a time-out, and descriptors that arrive where none or others are due are closed.
//
// Goroutines: Holder.Serve accepts on one and greets each newcomer on one of at most maxGreetings; it joins
// them before it returns. Callbacks run on Serve's own goroutine. A Session starts none and belongs to one
// goroutine at a time.
//
// Caveats: only Linux has what this needs; elsewhere Listen and Ask return ErrNotSupported and the hub
// waits. A socket that is registered with an epoll instance stays registered there when it is closed while
// the newcomer has a copy: take it out of the holder's pollers before it is given.
package handover
