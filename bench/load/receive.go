//go:build linux

package load

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"hubd/bench/ledger"
	"hubd/bench/wire"
)

// read takes what a stream has received, at most limit bytes at a time. A short read has emptied the socket, so
// nothing is lost to the edge trigger, unless the peer hung up: then the end is still to be read.
func (s *Streams) read(i, limit int, hangup bool) {
	st := &s.all[i]
	for {
		carried := st.reader.Carried()
		if len(carried)+64<<10 > len(s.buf) {
			s.buf = make([]byte, 2*len(s.buf)+len(carried))
		}
		lead := copy(s.buf, carried)
		room := min(limit, len(s.buf)-lead)
		n, err := receive(int(st.fd), s.buf[lead:lead+room])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil && !errors.Is(err, unix.ECONNRESET):
			s.fatal(i, fmt.Errorf("read: %w", err))
			return
		case err != nil || n == 0:
			s.end(i, err)
			return
		}
		s.reads++
		s.bytes += int64(n)
		if !s.take(i, lead, n) || st.slow || n < room && !hangup {
			return
		}
	}
}

// receive is recv(2), which package unix has with the sender's address alone. Against read(2) it saves the look at the file
// behind the socket, and since it never waits, telling Go's scheduler.
func receive(fd int, b []byte) (n int, err error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// take hands n bytes that stand behind lead carried ones in the buffer to the stream's parsers. It
// reports false when the stream has ended.
func (s *Streams) take(i, lead, n int) bool {
	st := &s.all[i]
	b := s.buf[:lead+n]
	if st.state == streamAsking {
		var ok bool
		if b, ok = s.takeHead(i, b); !ok {
			return st.state != streamIdle
		}
		lead = 0
	}
	if st.chunked {
		n, err := st.body.Decode(b[lead:])
		if err != nil {
			s.fault(i, err.Error())
			s.end(i, err)
			return false
		}
		b = b[:lead+n]
	}
	if s.o.Retry {
		s.heed(i, b)
	}
	s.delivered += int64(st.reader.Feed(b, s.o.Clock.Now()))
	if st.body.Done() {
		s.end(i, nil)
		return false
	}
	return true
}

// takeHead reads the response head and returns what follows it. It reports false when the head is not whole yet
// or the stream has ended.
func (s *Streams) takeHead(i int, b []byte) ([]byte, bool) {
	st := &s.all[i]
	if len(st.head) > 0 {
		st.head = append(st.head, b...)
		b = st.head
	}
	head, n, err := wire.ParseHead(b)
	switch {
	case err != nil:
		s.fatal(i, err)
		return nil, false
	case n == 0:
		if len(st.head) == 0 {
			st.head = append(st.head, b...)
		}
		return nil, false
	case head.Status == 429 || head.Status == 503:
		s.refusals[head.Status]++
		s.end(i, nil)
		return nil, false
	case head.Status != 200:
		s.fatal(i, fmt.Errorf("the subscription was answered with %d: %.200q", head.Status, b[n:]))
		return nil, false
	}
	st.state, st.chunked = streamOpen, head.Chunked
	s.underway--
	s.open++
	s.connects.Record(s.o.Clock.Now() - st.dialedAt)
	if s.o.Opened != nil {
		s.o.Opened(i, &st.reader)
	}
	return b[n:], true
}

// end closes a stream that the hub has ended and brings it back if that is asked for.
func (s *Streams) end(i int, cause error) {
	wasOpen := s.all[i].state == streamOpen
	if err := s.drop(i); err != nil {
		s.fatal(i, err)
		return
	}
	s.ended++
	if s.o.Reconnect || s.o.Retry {
		s.later(i)
		return
	}
	what := "the hub refused or ended the connection before it answered"
	if wasOpen {
		what = "the hub ended the stream"
	}
	if cause != nil {
		what += ": " + cause.Error()
	}
	s.fault(i, what)
}

func (s *Streams) fault(i int, what string) {
	s.o.Faults.Add(ledger.Fault{Stream: i, Place: s.all[i].reader.Place(), What: what})
}
