package load

import (
	"testing"
	"time"
)

func TestParseRetry(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"retry: 500\n\n":                    500,
		"id: 1\ndata: x\n\nretry: 2999\n\n": 2999,
		":\n\nretry: 1\n\n":                 1,
		"retry: 500\n\nid: 1\ndata: x\n\n":  -1, // was heeded when it came, or is not the last
		"retry: 500\n":                      -1,
		"data: retry: 500\n\n":              -1,
		"retry: -5\n\n":                     -1,
		"retry: 5s\n\n":                     -1,
		"retry: 99999999999\n\n":            -1,
		"\n\n":                              -1,
		"":                                  -1,
	} {
		ns, ok := parseRetry([]byte(text))
		if ok != (want >= 0) || ok && ns != want*int64(time.Millisecond) {
			t.Errorf("%q: %d ns, %t; want %d ms, or nothing where that is negative", text, ns, ok, want)
		}
	}
}
