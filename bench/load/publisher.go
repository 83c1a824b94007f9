//go:build linux

package load

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"hubd/bench/wire"
)

// A publisher goes through these states.
//
//	connecting --writable--> idle --send--> waiting --200--> idle
//	                                        waiting --429, 503--> refused --send again--> waiting
type publisherState uint8

const (
	publisherConnecting publisherState = iota
	publisherIdle
	publisherWaiting
	publisherRefused
)

// publisher is one keep-alive connection with at most one update under way.
type publisher struct {
	fd       int
	state    publisherState
	template *wire.Template
	update   wire.Payload
	unique   uint32
	// in holds the beginning of an answer that came in parts.
	in []byte
}

// send begins the next update of a connection.
func (p *Publishers) send(i int) error {
	c := &p.all[i]
	group, lane := p.o.Plan(i)
	n := p.o.Progress.next(group, lane)
	c.update = wire.Payload{Group: group, Lane: lane, N: n}
	c.unique = uint32(p.o.Progress.AllSent() % wire.MaxNumber)
	p.waiting++
	return p.write(i)
}

// write sends the connection's update, for the first time or again. An update fits into an empty socket
// buffer, so it goes out whole.
func (p *Publishers) write(i int) error {
	c := &p.all[i]
	c.update.SentAt = p.o.Clock.Now()
	if p.first == 0 {
		p.first = c.update.SentAt
	}
	request := c.template.Fill(c.update, c.unique)
	n, err := unix.Write(c.fd, request)
	if err != nil || n < len(request) {
		return fmt.Errorf("%w: connection %d: %d of %d bytes went out: %w", ErrPublish, i, n, len(request), err)
	}
	c.state = publisherWaiting
	return nil
}

// receive reads an answer. It reports whether the update was acknowledged.
func (p *Publishers) receive(i int) (bool, error) {
	c := &p.all[i]
	n, err := unix.Read(c.fd, p.buf)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%w: connection %d: read: %w", ErrPublish, i, err)
	case n == 0:
		return false, fmt.Errorf("%w: connection %d was closed by the hub, with an update unanswered: %t",
			ErrPublish, i, c.state != publisherIdle)
	}
	b := p.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	status, whole, err := parseAnswer(b)
	if err != nil {
		return false, fmt.Errorf("%w: connection %d: %w", ErrPublish, i, err)
	}
	if !whole {
		if len(c.in) == 0 {
			c.in = append(c.in, b...)
		}
		return false, nil
	}
	p.last = p.o.Clock.Now()
	switch {
	case c.state != publisherWaiting:
		return false, fmt.Errorf("%w: connection %d: an answer that nothing was sent for: %.200q", ErrPublish, i, b)
	case status == 429 || status == 503:
		p.refused++
		c.state = publisherRefused
		p.later = append(p.later, comeback{at: p.last + refusedDelay, index: i})
	case status < 200 || status > 299:
		return false, fmt.Errorf("%w: connection %d: %.300q", ErrPublish, i, b)
	default:
		p.latency.Record(p.last - c.update.SentAt)
		p.o.Progress.ack(c.update.Group, c.update.Lane)
		p.waiting--
		c.state = publisherIdle
	}
	c.in = c.in[:0]
	return c.state == publisherIdle, nil
}

// parseAnswer reads a whole response with its body, or reports that more has to come.
func parseAnswer(b []byte) (status int, whole bool, err error) {
	head, n, err := wire.ParseHead(b)
	if err != nil || n == 0 {
		return 0, false, err
	}
	switch {
	case head.Chunked:
		var body wire.Chunked
		if _, err := body.Decode(append([]byte(nil), b[n:]...)); err != nil {
			return 0, false, fmt.Errorf("read the answer: %w", err)
		}
		return head.Status, body.Done(), nil
	case head.Length >= 0:
		return head.Status, len(b)-n >= head.Length, nil
	case head.Status == 204:
		return head.Status, true, nil
	}
	return 0, false, fmt.Errorf("read the answer: no length in %.200q", b[:n])
}
