package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrChunked is wrapped by errors about a body that breaks the chunked coding.
var ErrChunked = errors.New("malformed chunked body")

// maxChunk is the largest chunk that is believed; more is taken for a broken body.
const maxChunk = 1 << 30

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkData
	chunkEnd
	chunkTrailer
	chunkTrailerLine
	chunkDone
)

// Chunked decodes a body in the chunked coding (RFC 9112, section 7.1) piece by piece. The zero value
// stands before the first chunk.
type Chunked struct {
	state  chunkState
	digits uint8
	left   int
}

// Done reports whether the last chunk and its trailer have been read.
func (c *Chunked) Done() bool { return c.state == chunkDone }

// Decode moves the payload in b to its front and returns the length of it. Bytes after the end of
// the body are ignored.
func (c *Chunked) Decode(b []byte) (int, error) {
	out := 0
	for at := 0; at < len(b); {
		if c.state == chunkData {
			n := min(c.left, len(b)-at)
			copy(b[out:], b[at:at+n])
			out, at, c.left = out+n, at+n, c.left-n
			if c.left == 0 {
				c.state = chunkEnd
			}
			continue
		}
		if c.state == chunkDone {
			return out, nil
		}
		if c.state == chunkExtension || c.state == chunkTrailerLine {
			i := bytes.IndexByte(b[at:], '\n')
			if i < 0 {
				return out, nil
			}
			at += i // the line feed is handled below
		}
		if err := c.step(b[at]); err != nil {
			return out, err
		}
		at++
	}
	return out, nil
}

// step takes one byte that is not payload.
func (c *Chunked) step(x byte) error {
	switch c.state {
	case chunkSize:
		return c.size(x)
	case chunkExtension:
		c.sizeDone()
	case chunkEnd:
		if x == '\n' {
			c.state = chunkSize
		} else if x != '\r' {
			return fmt.Errorf("%w: byte %#02x after a chunk", ErrChunked, x)
		}
	case chunkTrailer:
		switch x {
		case '\n':
			c.state = chunkDone
		case '\r':
		default:
			c.state = chunkTrailerLine
		}
	case chunkTrailerLine:
		c.state = chunkTrailer
	}
	return nil
}

func (c *Chunked) size(x byte) error {
	digit := -1
	switch {
	case x >= '0' && x <= '9':
		digit = int(x - '0')
	case x >= 'a' && x <= 'f':
		digit = int(x-'a') + 10
	case x >= 'A' && x <= 'F':
		digit = int(x-'A') + 10
	}
	if digit >= 0 {
		c.left, c.digits = c.left<<4|digit, 1
		if c.left > maxChunk {
			return fmt.Errorf("%w: a chunk of more than %d bytes", ErrChunked, maxChunk)
		}
		return nil
	}
	if c.digits == 0 {
		return fmt.Errorf("%w: byte %#02x where a chunk size was expected", ErrChunked, x)
	}
	switch x {
	case '\n':
		c.sizeDone()
	case '\r', ';', ' ', '\t':
		c.state = chunkExtension
	default:
		return fmt.Errorf("%w: byte %#02x in a chunk size", ErrChunked, x)
	}
	return nil
}

func (c *Chunked) sizeDone() {
	c.digits = 0
	c.state = chunkData
	if c.left == 0 {
		c.state = chunkTrailer
	}
}
