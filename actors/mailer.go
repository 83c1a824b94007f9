package actors

import "time"

// Conn is a subscriber's connection as the edge gives it to the hub. One goroutine at a time uses it.
type Conn interface {
	// Watch is called once, before any other method: from then on the edge calls Hangup when the client
	// is gone, and Writable as Write says.
	Watch(s *Subscriber)
	// Write sends as much of p as the socket takes at once and never blocks. Fewer bytes than len(p)
	// without an error mean that the socket is full: the edge then calls Subscriber.Writable when it
	// has room.
	Write(p []byte) (n int, err error)
	// Close ends the connection and everything that watches it.
	Close() error
}

// mailer is how a subscriber reaches the rest of the hub.
type mailer interface {
	toHub(message any)
	toSubscriber(s *Subscriber, message any)
	read(q *readRequest)
	arm(d *deadline, at time.Time)
	disarm(d *deadline)
	now() time.Time
	limits() *limits
	counters() *Stats
	scratch() *[]byte
	release(*[]byte)
	// revoked reports whether the identity, which may be nil, may have no stream any more.
	revoked(i *Identity) bool
	// gone is called once, when the subscriber has ended.
	gone(s *Subscriber, r Reason)
}

// limits are what bounds a stream.
type limits struct {
	heartbeat, dispatch time.Duration
	// queue is how many bytes may wait for it.
	queue int64
}
