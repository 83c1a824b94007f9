//go:build !linux

package sse

// sealed is a detached connection over TLS as a subscriber sees it.
type sealed struct{ *stream }

// detach takes the connection from fasthttp. The goroutines of the stream read and write by TLS.
func (s *secure) detach() (*sealed, error) {
	st, err := s.c.detach()
	if err != nil {
		return nil, err
	}
	st.carried = s.tls
	return &sealed{st}, nil
}

// again makes ready for another subscriber, which only a handover needs, and there is none here.
func (s *sealed) again() {}
