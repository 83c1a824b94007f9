package sse

import (
	"slices"

	"hubd/actors"
)

// sealed is a detached connection over TLS as a subscriber sees it. Like a plain stream it has neither a goroutine nor a
// buffer while it is idle: TLS writes into memory, and from there the socket takes what it can.
//
// What TLS has encrypted cannot be taken back, so a Write that finds the socket full has taken more than it could send.
// It keeps that, and reports one byte less than it took: the subscriber then knows that the socket is full, and the next
// Write begins with that byte, which is reported when everything before it has left.
type sealed secure

// detach takes the connection from fasthttp.
func (s *secure) detach() (*sealed, error) {
	if _, err := s.c.detach(); err != nil {
		return nil, err
	}
	s.seal.detached = true
	return (*sealed)(s), nil
}

// Watch implements actors.Conn.
func (s *sealed) Watch(subscriber *actors.Subscriber) { (*stream)(&s.c).Watch(subscriber) }

// Write implements actors.Conn.
func (s *sealed) Write(p []byte) (n int, err error) {
	if gone, err := s.send(); err != nil || !gone {
		return 0, err
	}
	if s.owed && len(p) > 0 {
		s.owed, n = false, 1
	}
	for n < len(p) {
		size := min(len(p)-n, recordBytes)
		gone, err := s.encrypt(p[n : n+size])
		n += size
		switch {
		case err != nil:
			return n, err
		case !gone:
			s.owed = true
			return n - 1, nil
		}
	}
	return n, nil
}

// encrypt sends what fits into one record and reports whether all of it has left.
func (s *sealed) encrypt(p []byte) (gone bool, err error) {
	buffer := s.c.server.records.Get().(*[]byte)
	defer s.c.server.records.Put(buffer)
	s.out = (*buffer)[:0]
	if _, err := s.tls.Write(p); err != nil {
		return false, err
	}
	*buffer = s.out // it may have grown
	gone, err = s.send()
	s.out = slices.Clone(s.out)
	return gone, err
}

// send writes what waits and reports whether all of it has left.
func (s *sealed) send() (gone bool, err error) {
	if len(s.out) == 0 {
		return true, nil
	}
	n, err := (*stream)(&s.c).Write(s.out)
	if s.out = s.out[n:]; len(s.out) == 0 {
		s.out = nil
	}
	return s.out == nil, err
}

// Close implements actors.Conn. The client is told that the end is meant (RFC 8446, section 6.1), unless it is in the
// middle of a record.
func (s *sealed) Close() error {
	if len(s.out) == 0 && s.tls.CloseWrite() == nil {
		_, _ = s.send() // the connection ends, whether the client hears it or not
	}
	return (*stream)(&s.c).Close()
}

// again makes ready for another subscriber.
func (s *sealed) again() {
	// The socket has to be reported as it is now, which the kernel does when it is added.
	s.c.server.poller.unwatch(&s.c)
	s.c.server.poller.remove(&s.c)
}
