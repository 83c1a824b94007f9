package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestParseHead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     Head
		n        int
	}{
		{"bare", "HTTP/1.1 200 OK\r\n\r\nbody", Head{Status: 200, Length: -1}, 19},
		{"no reason", "HTTP/1.1 204\r\n\r\n", Head{Status: 204, Length: -1}, 16},
		{"length", "HTTP/1.1 200 OK\r\ncontent-length: 45\r\n\r\n", Head{Status: 200, Length: 45}, 39},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Head{Status: 200, Length: -1, Chunked: true}, 47},
		{"close", "HTTP/1.0 503 x\r\nA: b\r\nConnection: close\r\n\r\n", Head{Status: 503, Length: -1, Close: true}, 43},
		{"not whole", "HTTP/1.1 200 OK\r\nA: b\r\n", Head{Length: -1}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, n, err := ParseHead([]byte(test.in))
			if got != test.want || n != test.n || err != nil {
				t.Errorf("%+v, %d, %v, want %+v, %d", got, n, err, test.want, test.n)
			}
		})
	}
}

func TestParseHeadRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", strings.Repeat("x", maxHead+1),
	} {
		if _, _, err := ParseHead([]byte(in)); !errors.Is(err, ErrHead) {
			t.Errorf("%.40q: %v", in, err)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHead(b)
		if n > len(b) || err == nil && n > 0 && h.Length < -1 {
			t.Errorf("%+v, %d, %v", h, n, err)
		}
	})
}
