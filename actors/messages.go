package actors

import (
	"time"

	"hubd/mercure"
)

// Messages, all immutable once sent.
//
//	sender            receiver     messages
//	tail              hub          available
//	edge, subscriber  hub          enrol, join, overflowed, leave, inquiry
//	Hub               hub          settle, drain, release
//	edge              hub          census, revoke, roll, followed
//	hub               hub          available, sweep
//	workers           hub          handled
//	hub               topic        deliver
//	hub               audience     post: a batch for all members, or a message for one of them
//	hub               subscriber   joined, revoked, drainAt, release, inspect, left
//	edge              subscriber   attach, writable, hungUp
//	replayer          subscriber   *page
//	wheel             subscriber   tick
type (
	// available says that the log may hold events that were not dispatched yet.
	available struct{}
	// enrol makes a new subscriber known; with live it also joins its audience.
	enrol struct {
		s    *Subscriber
		live bool
	}
	// join asks to be handed events as they come.
	join struct{ s *Subscriber }
	// overflowed takes a subscriber out of its audience: its queue was full.
	overflowed struct{ s *Subscriber }
	// leave takes a subscriber off that ended for the reason at that time; left answers it.
	leave struct {
		s      *Subscriber
		reason Reason
		at     time.Time
	}
	// handled says that the workers have run every subscriber that some rounds woke: how many batches those rounds
	// handed over, and how many bytes a subscriber got of them at most.
	handled struct {
		batches int
		bytes   int64
	}
	// sweep looks for topics that nobody follows any more.
	sweep struct{}
	// settle is answered by closing done once everything committed has been dispatched.
	settle struct{ done chan<- struct{} }
	// census is answered with what is known of all subscribers.
	census struct{ reply chan<- []mercure.Subscription }
	// revoke ends the streams that are revoked or follow one of the topics, and is answered with how many they are.
	revoke struct {
		followed []string
		reply    chan<- int
	}
	// inquiry asks about a stream with regard to the event at a position. It is answered by the stream, by what is
	// remembered of it, or with nil if it is unknown.
	inquiry struct {
		id       StreamID
		position uint64
		reply    chan<- *inspection
	}
	// roll is answered with all streams, and up to so many of those that ended last.
	roll struct {
		ended int
		reply chan<- register
	}
	// followed is answered with how many streams follow each of the topics.
	followed struct {
		topics []string
		reply  chan<- []int
	}
	// drain ends every stream, spread over the time.
	drain struct{ over time.Duration }

	// release has every stream, or one, leave for another hub.
	release struct{ to *released }

	// deliver shows an event of the round to a topic.
	deliver struct {
		round *round
		event int
	}

	// attach gives a new subscriber actor its subscriber and starts the stream.
	attach struct {
		s    *Subscriber
		live bool
	}
	// joined says that every event after the position will be handed over.
	joined struct{ at uint64 }
	// revoked says that the stream's token was revoked, or a topic that it follows.
	revoked struct{}
	// drainAt sets the time at which the stream ends because the hub stops.
	drainAt struct{ at time.Time }
	// inspect asks the stream what became of the event at a position; it says what the hub actor knows of that.
	inspect struct {
		position, dispatched uint64
		fanned               time.Time
		reply                chan<- *inspection
	}
	// left says that the hub holds the subscriber no more and sends nothing after this.
	left struct{}
	// writable says that a full socket has room again.
	writable struct{}
	// hungUp says that the client is gone.
	hungUp struct{}
	// tick says that a deadline of the subscriber may have come.
	tick struct{}
	// page is a piece of history.
	page struct {
		events []*mercure.Event // those that the subscriber wants and may see
		upto   uint64           // the position up to which history was read
		end    bool             // nothing was stored after upto
		gap    bool             // events after the cursor had been removed from history
		err    error
	}
)
