package wire

import (
	"bytes"
	"strings"
	"testing"
)

type plainEvent struct{ id, typ, data string }

// scanAll feeds b in pieces, carrying over what Next leaves, as a stream does.
func scanAll(t *testing.T, b []byte, piece int) []plainEvent {
	t.Helper()
	var (
		s     Scanner
		ev    Event
		carry []byte
		all   []plainEvent
	)
	for len(b) > 0 {
		n := min(piece, len(b))
		carry = append(carry, b[:n]...)
		b = b[n:]
		for {
			used, ok := s.Next(carry, &ev)
			if ok {
				all = append(all, plainEvent{string(ev.ID), string(ev.Type), string(ev.Data)})
				if len(ev.ID) > 0 && !bytes.Equal(ev.Block[ev.IDAt:ev.IDAt+len(ev.ID)], ev.ID) {
					t.Fatalf("the id of %q is not at %d", ev.Block, ev.IDAt)
				}
				if !bytes.HasSuffix(carry[:used], ev.Block) {
					t.Fatalf("block %q does not end what was scanned: %q", ev.Block, carry[:used])
				}
			}
			carry = append(carry[:0], carry[used:]...)
			if !ok {
				break
			}
		}
	}
	return all
}

// TestScanner pins the parsing rules of the HTML Living Standard, section 9.2.6.
func TestScanner(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want []plainEvent
	}{
		{"nothing", "", nil},
		{"one event", "id: a\ndata: b\n\n", []plainEvent{{"a", "", "b"}}},
		{"type", "event: x\nid: a\ndata: b\n\n", []plainEvent{{"a", "x", "b"}}},
		{"without spaces", "id:a\ndata:b\n\n", []plainEvent{{"a", "", "b"}}},
		{"only one space is dropped", "id: a\ndata:  b\n\n", []plainEvent{{"a", "", " b"}}},
		{"lines of data are joined", "data: a\ndata\ndata: c\n\n", []plainEvent{{"", "", "a\n\nc"}}},
		{"carriage returns", "id: a\r\ndata: b\r\n\r\n", []plainEvent{{"a", "", "b"}}},
		{"comments", ": hello\n\n:\nid: a\n: in between\ndata: b\n\n:\n", []plainEvent{{"a", "", "b"}}},
		{"a block without data is no event", "id: a\n\nretry: 10\n\ndata: b\n\n", []plainEvent{{"", "", "b"}}},
		{"unknown fields are passed over", "retry: 5\nfoo: bar\nid: a\ndata: b\n\n", []plainEvent{{"a", "", "b"}}},
		{"an event that is cut off is none", "id: a\ndata: b\n\nid: c\ndata: d\n", []plainEvent{{"a", "", "b"}}},
		{"two events", "id: a\ndata: b\n\nid: c\ndata: d\n\n", []plainEvent{{"a", "", "b"}, {"c", "", "d"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for piece := 1; piece <= len(test.in)+1; piece++ {
				got := scanAll(t, []byte(test.in), piece)
				if !equal(got, test.want) {
					t.Fatalf("in pieces of %d: %v, want %v", piece, got, test.want)
				}
			}
		})
	}
}

func equal(a, b []plainEvent) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// naive parses a whole stream line by line, as the standard describes it.
func naive(in string) []plainEvent {
	var all []plainEvent
	var ev plainEvent
	var data []string
	for {
		line, rest, found := strings.Cut(in, "\n")
		if !found {
			return all
		}
		in = rest
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			if len(data) > 0 {
				ev.data = strings.Join(data, "\n")
				all = append(all, ev)
			}
			ev, data = plainEvent{}, nil
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			ev.id = value
		case "event":
			ev.typ = value
		case "data":
			data = append(data, value)
		}
	}
}

// FuzzScanner holds the scanner, fed in pieces, against the naive parser.
func FuzzScanner(f *testing.F) {
	f.Add("id: a\ndata: b\n\n", 3)
	f.Add(":\n\nid: a\r\nevent: e\r\ndata: b\ndata: c\r\n\r\n", 1)
	f.Add("data\n\ndata: x\n:y\n\n", 7)
	f.Fuzz(func(t *testing.T, in string, piece int) {
		if piece < 1 || piece > 1<<20 || len(in) > 1<<12 {
			return
		}
		got, want := scanAll(t, []byte(in), piece), naive(in)
		if !equal(got, want) {
			t.Fatalf("%q in pieces of %d: %v, want %v", in, piece, got, want)
		}
	})
}
