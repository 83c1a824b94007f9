package persistence

import "context"

// Shared is a log on an engine that several hubs have open at once, each as a node of its own. All nodes see the
// same events at the same positions, whichever of them appended: a tail returns what other nodes committed too.
//
// While the engine cannot be reached, calls that need it return errors that wrap ErrUnavailable, within a bounded
// time; the log goes on by itself when the engine is back. What is in memory is served meanwhile.
//
// A page of such a log has no gap: where an event was lost or cannot be read, one without topics stands in for it. It
// begins with the event after the position asked for, or with the oldest that is left. Another node's retention shows in
// a page perhaps before it shows in Bounds; CheckShared tells that from a hole, with which nobody is to go on.
type Shared interface {
	Log

	// Contact returns nil while the engine answers this node, and otherwise an error that wraps ErrUnavailable.
	Contact() error

	// Refresh returns when readers of this node can see what any node had committed before the call. A client may
	// come from another node with the id of an event that this one is about to hear of.
	Refresh(ctx context.Context) error

	// Board returns the board with this name, which is made when it is first written to. Names are those of
	// identifiers. The board may be used until Close.
	Board(name string) Board
}

// Contacted is called with what Shared.Contact would return, each time that changes. It must not block.
type Contacted func(err error)

// Board is what nodes tell each other beside the log, such as who is subscribed where: entries, each of one holder, of
// which some have a lease. An entry is as durable as the engine's events. All methods may be called from any
// goroutine. Their errors wrap ErrUnavailable while the engine cannot be reached; what failed may then be done or not,
// and may be tried again.
type Board interface {
	// Put stores entries of the holder, in place of those with the same keys.
	Put(ctx context.Context, holder string, entries []Entry) error

	// Delete removes entries of the holder. One that is missing is no error.
	Delete(ctx context.Context, holder string, keys []string) error

	// List returns the entries of all holders, in no particular order.
	List(ctx context.Context) ([]Entry, error)

	// Revision is a number that grows with each Put, Delete, Adopt and Drop that changed something. It costs no
	// more than one look-up.
	Revision(ctx context.Context) (uint64, error)

	// Renew makes the holder's lease last for the number of milliseconds from now on, by the engine's clock. It
	// reports whether the holder had a lease that nobody has adopted; if not it has one now, and its entries
	// are to be put again.
	Renew(ctx context.Context, holder string, milliseconds int64) (held bool, err error)

	// Adopt gives the heir all entries of holders whose lease has ended, and returns them with the holder that
	// they had. Such a holder is forgotten. Of several nodes that call it at once, one gets an entry; when that
	// one's own lease ends before it has deleted the entry, another does. Holders that never had a lease keep theirs.
	Adopt(ctx context.Context, heir string) ([]Entry, error)

	// Drop removes the holder with its lease and entries.
	Drop(ctx context.Context, holder string) error
}

// Entry is one entry of a board. Holder and Key are at most 512 bytes of printable ASCII without spaces, Value at most
// 64 KiB.
type Entry struct {
	Holder, Key string
	Value       []byte
}
