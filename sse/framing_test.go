package sse

import "testing"

// RFC 9112, sections 2.2, 5.2, 6.1 and 6.3.
func TestMisframed(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]bool{
		"":                                     false,
		"\r\n":                                 false,
		"Host: a\r\nContent-Length: 4\r\n\r\n": false,
		"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n":                     false,
		"Host: a\r\ntransfer-encoding:\tCHUNKED \r\n\r\n":                   false,
		"Host: a\r\nContent-Length-X: 4\r\nTransfer-Encoding: chunked\r\n":  false,
		"Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n":    true,
		"Host: a\r\nTRANSFER-ENCODING: chunked\r\ncontent-length:4\r\n\r\n": true,
		"Host: a\r\nTransfer-Encoding: identity\r\n\r\n":                    true,
		"Host: a\r\nTransfer-Encoding:\r\n\r\n":                             true,
		"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n":               true,
		"Host: a\nContent-Length: 4\r\n\r\n":                                true,
		"Host: a\r\n\n":                                                     true,
		"\n":                                                                true,
		"Host: a\r\nX: a\r\n b\r\n\r\n":                                     true,
		"Host: a\r\nX: a\r\n\tb\r\n\r\n":                                    true,
		"Host: a":                                                           true,
	} {
		if got := misframed([]byte(fields)); got != want {
			t.Errorf("misframed(%q) is %t, want %t", fields, got, want)
		}
	}
}

// Whatever the fields are, nothing panics, and a line break of either kind alone is never let through.
func FuzzMisframed(f *testing.F) {
	for _, fields := range []string{"", "\r\n", "A: b\r\n\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "A: b\n\r\n", "A\r\n b\r\n"} {
		f.Add(fields)
	}
	f.Fuzz(func(t *testing.T, fields string) {
		if misframed([]byte(fields)) {
			return
		}
		for i := range len(fields) {
			if fields[i] == '\n' && (i == 0 || fields[i-1] != '\r') {
				t.Errorf("%q has a line without a carriage return", fields)
			}
		}
	})
}
