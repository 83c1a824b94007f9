package target

import "hubd/bench/wire"

// Scheme is how a workload's topics are laid out.
type Scheme uint8

const (
	// Own gives each group one topic, and its streams a subscription to that.
	Own Scheme = iota
	// Patterns gives each group a pattern, and each update a topic below it that was never seen before.
	Patterns
	// Inboxes gives each group one topic, and all streams the same subscription to all of them; a stream's
	// token grants its own group's alone, and updates are private.
	Inboxes
)

// Subscription is what a stream asks for.
type Subscription struct {
	Scheme Scheme
	Group  uint32
	// Cursor is the id after which to resume, or nil.
	Cursor []byte
}

// Speaker writes requests as one kind of server wants them.
type Speaker interface {
	// Subscribe appends a whole subscribe request to b. An error is one of the token's.
	Subscribe(b []byte, s Subscription) ([]byte, error)
	// Publish returns the template of a publish request with data of a size.
	Publish(s Scheme, size int) (*wire.Template, error)
}

// bare speaks to the program of package limit, which reads nothing but the data.
type bare struct{ host string }

func (s bare) Subscribe(b []byte, _ Subscription) ([]byte, error) {
	b = append(b, "GET / HTTP/1.1\r\nHost: "...)
	return append(append(b, s.host...), "\r\n\r\n"...), nil
}

func (s bare) Publish(_ Scheme, size int) (*wire.Template, error) {
	return wire.NewTemplate("POST / HTTP/1.1\r\nHost: "+s.host+"\r\n", "data="+wire.DataMark, size), nil
}

// nchan speaks to nginx with the configuration of this package: a group is a channel, named in the path.
type nchan struct{ host, run string }

func (s nchan) Subscribe(b []byte, sub Subscription) ([]byte, error) {
	b = append(append(append(b, "GET /sub/"...), s.run...), '-')
	b = wire.AppendNumber(b, sub.Group)
	b = append(append(b, " HTTP/1.1\r\nAccept: text/event-stream\r\nHost: "...), s.host...)
	if sub.Cursor != nil {
		b = append(append(b, "\r\nLast-Event-ID: "...), sub.Cursor...)
	}
	return append(b, "\r\n\r\n"...), nil
}

func (s nchan) Publish(_ Scheme, size int) (*wire.Template, error) {
	head := "POST /pub/" + s.run + "-" + wire.GroupMark + " HTTP/1.1\r\nHost: " + s.host + "\r\nContent-Type: text/plain\r\n"
	return wire.NewTemplate(head, wire.DataMark, size), nil
}
