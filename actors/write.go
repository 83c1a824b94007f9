package actors

import (
	"time"

	"hubd/mercure"
)

// scratchBytes is the size of the buffers in which several batches become one write.
const scratchBytes = 64 << 10

// flush writes what waits, in order, until nothing does or the socket is full. While history is
// being read, live batches wait their turn.
func (s *Subscriber) flush() {
	if s.state == ended || !s.writePrelude() {
		return
	}
	for {
		switch {
		case s.current != nil:
			if !s.writeCurrent() {
				return
			}
		case s.state != live || len(s.pending) == 0:
			if len(s.pending) == 0 {
				s.pending = nil
			}
			return
		case len(s.pending) == 1:
			s.take()
		default:
			if !s.writeMany() {
				return
			}
		}
	}
}

// writePrelude writes the response's head, once the stream may show itself: not before the hub hands
// over what comes after it.
func (s *Subscriber) writePrelude() bool {
	if s.prelude == nil {
		return true
	}
	if s.state == opening {
		return false
	}
	n, err := s.conn.Write(s.prelude)
	if err != nil {
		s.end(ReasonWriteError)
		return false
	}
	if n < len(s.prelude) {
		s.prelude = s.prelude[n:]
		s.stall()
		return false
	}
	s.prelude = nil
	s.wrote(s.hub.now())
	return true
}

// take makes the first waiting batch the current one, less what the cursor has seen of it, and reports whether anything is
// left.
func (s *Subscriber) take() bool {
	b := s.pending[0]
	s.pending[0] = nil
	s.pending = s.pending[1:]
	if s.current, s.offset = b.since(s.cursor), 0; s.current == nil {
		s.uncount(b)
		return false
	}
	s.cursor = b.last()
	return true
}

// writeCurrent goes on with the current batch and reports whether it is written.
func (s *Subscriber) writeCurrent() bool {
	b := s.current
	if s.offset < len(b.frames) {
		n, err := s.conn.Write(b.frames[s.offset:])
		if err != nil {
			s.end(ReasonWriteError)
			return false
		}
		now := s.hub.now()
		if s.offset += n; s.offset < len(b.frames) {
			if n > 0 {
				s.stalled = false
			}
			s.stall()
			return false
		}
		s.wrote(now)
		s.delivered(len(b.marks), b.accepted, now)
	}
	s.uncount(b)
	s.current = nil
	return true
}

// writeMany writes several waiting batches at once: a write costs the same whatever it carries.
func (s *Subscriber) writeMany() bool {
	scratch := s.hub.scratch()
	defer s.hub.release(scratch)
	buf, accepted := (*scratch)[:0], s.pending[0].accepted
	var count, events int
	cursor := s.cursor
	for _, b := range s.pending {
		if count > 0 && len(buf)+len(b.frames) > scratchBytes {
			break
		}
		count++
		if b = b.since(cursor); b != nil {
			buf = append(buf, b.frames...)
			cursor = b.last()
			events += len(b.marks)
		}
	}
	*scratch = buf
	n, err := s.conn.Write(buf)
	if err != nil {
		s.end(ReasonWriteError)
		return false
	}
	if n == len(buf) {
		now := s.hub.now()
		s.wrote(now)
		s.delivered(events, accepted, now)
		for range count {
			if s.take() {
				s.uncount(s.current)
				s.current = nil
			}
		}
		return true
	}
	for {
		if !s.take() {
			continue
		}
		rest := len(s.current.frames) - s.offset
		if n < rest {
			s.offset += n
			s.stall()
			return false
		}
		n -= rest
		s.delivered(len(s.current.marks), s.current.accepted, s.hub.now())
		s.uncount(s.current)
		s.current = nil
	}
}

// writePage writes a page of history and reports whether it is written. Of a page that the socket
// does not take whole, only the rest of the event that was cut is kept; the cursor stands for the others.
func (s *Subscriber) writePage(p *page) bool {
	scratch := s.hub.scratch()
	defer s.hub.release(scratch)
	for events := p.events; len(events) > 0; {
		buf, count := (*scratch)[:0], 0
		for count < len(events) && (count == 0 || len(buf)+len(events[count].Frame()) <= scratchBytes) {
			buf = append(buf, events[count].Frame()...)
			count++
		}
		*scratch = buf
		n, err := s.conn.Write(buf)
		if err != nil {
			s.end(ReasonWriteError)
			return false
		}
		if n < len(buf) {
			s.cut(events[:count], n)
			return false
		}
		now := s.hub.now()
		s.wrote(now)
		s.replayed(events[:count], now)
		s.cursor = events[count-1].Position
		events = events[count:]
	}
	return true
}

// cut keeps the rest of the event in which a write of history ended after n bytes.
func (s *Subscriber) cut(events []*mercure.Event, n int) {
	for i, e := range events {
		if size := len(e.Frame()); n >= size {
			n -= size
			continue
		}
		s.replayed(events[:i], s.hub.now())
		s.current, s.offset = remainder(e, n), 0
		s.cursor = e.Position
		s.stall()
		return
	}
}

// wrote notes a write that the socket took whole.
func (s *Subscriber) wrote(now time.Time) {
	s.lastWrite, s.stalled = now, false
}

// stall notes that the socket is full and sets the time by which it must take something.
func (s *Subscriber) stall() {
	if !s.stalled {
		now := s.hub.now()
		s.stalled, s.stalledAfter = true, now.Sub(s.lastWrite)
		s.rearm(now)
	}
}

// stalledSince is when the socket was found full, if it is.
func (s *Subscriber) stalledSince() time.Time { return s.lastWrite.Add(s.stalledAfter) }

func (s *Subscriber) delivered(events int, accepted, now time.Time) {
	s.tally().written(1, events, now.Sub(accepted))
}

func (s *Subscriber) replayed(events []*mercure.Event, now time.Time) {
	if len(events) == 0 {
		return
	}
	t := s.tally()
	t.deliveries.add(int64(len(events)))
	t.replayed.add(int64(len(events)))
}
