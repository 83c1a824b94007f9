package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// ErrHead is wrapped by errors about the head of a response.
var ErrHead = errors.New("malformed response head")

// maxHead is the longest head that is waited for.
const maxHead = 64 << 10

// Head is what the load program needs of a response's head.
type Head struct {
	Status int
	// Length is the value of Content-Length, or -1.
	Length int
	// Chunked tells that the body is in the chunked coding.
	Chunked bool
	// Close tells that the server closes the connection after the response.
	Close bool
}

// ParseHead reads the head of an HTTP/1 response at the start of b and returns its length, or 0
// when the end of it has not come yet.
func ParseHead(b []byte) (h Head, n int, err error) {
	h.Length = -1
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead {
			return h, 0, fmt.Errorf("%w: no end after %d bytes", ErrHead, len(b))
		}
		return h, 0, nil
	}
	line, rest, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	if len(line) < len("HTTP/1.1 200") || string(line[:len("HTTP/1.")]) != "HTTP/1." {
		return h, 0, fmt.Errorf("%w: status line %q", ErrHead, line[:min(len(line), 80)])
	}
	h.Status, err = strconv.Atoi(string(line[9:12]))
	if err != nil {
		return h, 0, fmt.Errorf("%w: status line %q", ErrHead, line[:min(len(line), 80)])
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if h.Length, err = strconv.Atoi(string(value)); err != nil || h.Length < 0 {
				return h, 0, fmt.Errorf("%w: content length %q", ErrHead, value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.Chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			h.Close = bytes.EqualFold(value, []byte("close"))
		}
	}
	return h, end + 4, nil
}
