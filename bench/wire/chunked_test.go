package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// decode feeds in piece by piece.
func decode(in string, piece int) (body string, done bool, err error) {
	var c Chunked
	var out strings.Builder
	for len(in) > 0 {
		b := []byte(in[:min(piece, len(in))])
		in = in[len(b):]
		n, err := c.Decode(b)
		out.Write(b[:n])
		if err != nil {
			return out.String(), false, err
		}
	}
	return out.String(), c.Done(), nil
}

// TestChunked pins RFC 9112, section 7.1.
func TestChunked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		done           bool
	}{
		{"one chunk", "3\r\nabc\r\n0\r\n\r\n", "abc", true},
		{"two chunks", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", true},
		{"an extension", "3;x=y\r\nabc\r\n0\r\n\r\n", "abc", true},
		{"a trailer", "3\r\nabc\r\n0\r\nName: value\r\n\r\n", "abc", true},
		{"leading zeros", "0003\r\nabc\r\n000\r\n\r\n", "abc", true},
		{"not over", "3\r\nabc\r\n", "abc", false},
		{"in a chunk", "5\r\nabc", "abc", false},
		{"nothing", "0\r\n\r\n", "", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for piece := 1; piece <= len(test.in); piece++ {
				got, done, err := decode(test.in, piece)
				if got != test.want || done != test.done || err != nil {
					t.Fatalf("in pieces of %d: %q, %t, %v", piece, got, done, err)
				}
			}
		})
	}
}

func TestChunkedRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"x\r\n", "\r\n", "3z\r\n", "3\r\nabcd", "fffffffffff\r\n", "-1\r\n"} {
		if _, _, err := decode(in, len(in)); !errors.Is(err, ErrChunked) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzChunked decodes what the standard library's writer makes.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("hello, world"), 5, 3)
	f.Fuzz(func(t *testing.T, body []byte, chunk, piece int) {
		if chunk < 1 || piece < 1 || len(body) > 1<<12 {
			return
		}
		var coded bytes.Buffer
		w := httputil.NewChunkedWriter(&coded)
		for at := 0; at < len(body); at += chunk {
			if chunk > len(body)-at {
				chunk = len(body) - at
			}
			if _, err := w.Write(body[at : at+chunk]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(&coded, "\r\n"); err != nil {
			t.Fatal(err)
		}
		got, done, err := decode(coded.String(), piece)
		if err != nil || !done || got != string(body) {
			t.Fatalf("%q, %t, %v", got, done, err)
		}
	})
}

// FuzzChunkedInput must not panic nor put out more than it was given, whatever that is.
func FuzzChunkedInput(f *testing.F) {
	f.Add("3\r\nabc\r\n0\r\n\r\n", 2)
	f.Fuzz(func(t *testing.T, in string, piece int) {
		if piece < 1 {
			return
		}
		whole, _, err1 := decode(in, len(in)+1)
		parts, _, err2 := decode(in, piece)
		if whole != parts || fmt.Sprint(err1) != fmt.Sprint(err2) || len(whole) > len(in) {
			t.Fatalf("%q, %v at once; %q, %v in pieces of %d", whole, err1, parts, err2, piece)
		}
	})
}
