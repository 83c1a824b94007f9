package wire

import "bytes"

// Event is one event of a stream. Its fields are parts of the bytes that were scanned, or of the
// scanner, and valid until either is used again.
type Event struct {
	// Block is the whole event with the blank line that ends it.
	Block []byte
	ID    []byte
	Type  []byte
	Data  []byte
	// IDAt is where the id begins in Block; 0 when there is none.
	IDAt int
}

// Scanner finds events (HTML Living Standard, section 9.2.6). The zero value is ready, and one scanner
// serves any number of streams: it keeps nothing from one call to the next but scratch space.
type Scanner struct {
	joined []byte
}

// Next finds the first event in b. When it reports false there is no whole event in b. In both cases the
// first n bytes are done with: comments and blocks without data are passed over.
func (s *Scanner) Next(b []byte, ev *Event) (n int, ok bool) {
	start, lines := 0, 0
	*ev = Event{}
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return start, false
		}
		line := b[at : at+i]
		if i > 0 && line[i-1] == '\r' {
			line = line[:i-1]
		}
		lineAt := at
		at += i + 1
		if len(line) == 0 {
			if lines > 0 {
				ev.Block = b[start:at]
				return at, true
			}
			start = at
			*ev = Event{}
			continue
		}
		name, value := field(line)
		switch string(name) {
		case "":
			if lineAt == start {
				start = at // a comment before the event is no part of it
			}
		case "data":
			s.addData(ev, value, lines)
			lines++
		case "id":
			ev.ID, ev.IDAt = value, lineAt+len(line)-len(value)-start
		case "event":
			ev.Type = value
		}
	}
}

// addData appends a line of data; the first one stays where it is.
func (s *Scanner) addData(ev *Event, value []byte, lines int) {
	switch lines {
	case 0:
		ev.Data = value
		return
	case 1:
		s.joined = append(s.joined[:0], ev.Data...)
	}
	s.joined = append(append(s.joined, '\n'), value...)
	ev.Data = s.joined
}

// field splits a line at its colon and drops the one space that may follow it.
func field(line []byte) (name, value []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return line, nil
	}
	name, value = line[:i], line[i+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return name, value
}
