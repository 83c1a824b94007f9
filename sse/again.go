package sse

import "hubd/actors"

// Movable reports whether the socket of a stream can go to another process. One over TLS cannot: its keys, and over
// HTTP/2 its neighbours, are in this one.
func (s *Server) Movable(c actors.Conn) bool {
	_, ok := c.(*stream)
	return ok
}

// Again makes a stream that its hub has released, and that cannot move, ready to be given to a hub again.
func (s *Server) Again(c actors.Conn) {
	if st, ok := c.(*sealed); ok {
		st.again()
	}
}
