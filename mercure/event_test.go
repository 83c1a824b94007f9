package mercure

import (
	"strings"
	"testing"
	"time"

	"github.com/tmaxmax/go-sse"
)

const testID = "urn:uuid:01234567-89ab-8def-8123-456789abcdef"

// "Publication" on data: one field per line, split on CR, LF and CRLF.
func TestEventFrame(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		update Update
		want   string
	}{
		{"no data", Update{}, "id: " + testID + "\ndata: \n\n"},
		{"one line", Update{Data: "hello"}, "id: " + testID + "\ndata: hello\n\n"},
		{"every field", Update{ID: "x", Type: "t", Retry: "10", Data: "d"}, "id: x\nevent: t\nretry: 10\ndata: d\n\n"},
		{"LF", Update{ID: "x", Data: "a\nb"}, "id: x\ndata: a\ndata: b\n\n"},
		{"CR", Update{ID: "x", Data: "a\rb"}, "id: x\ndata: a\ndata: b\n\n"},
		{"CRLF", Update{ID: "x", Data: "a\r\nb"}, "id: x\ndata: a\ndata: b\n\n"},
		{"LF CR is two ends", Update{ID: "x", Data: "a\n\rb"}, "id: x\ndata: a\ndata: \ndata: b\n\n"},
		{"ends with an end", Update{ID: "x", Data: "a\n"}, "id: x\ndata: a\ndata: \n\n"},
		{"leading space is kept", Update{ID: "x", Data: " a"}, "id: x\ndata:  a\n\n"},
		{"forged field", Update{ID: "x", Data: "a\nid: forged\n\ndata: b"}, "id: x\ndata: a\ndata: id: forged\ndata: \ndata: data: b\n\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := NewEvent(&test.update)
			e.Place(1, time.Unix(0, 0), []byte(testID))
			if got := string(e.Frame()); got != test.want {
				t.Fatalf("frame is\n%q, want\n%q", got, test.want)
			}
			wantID := test.update.ID
			if wantID == "" {
				wantID = testID
			}
			if e.ID() != wantID {
				t.Fatalf("id is %q, want %q", e.ID(), wantID)
			}
		})
	}
}

func TestEventKeepsThePublishersID(t *testing.T) {
	t.Parallel()
	e := NewEvent(&Update{ID: "mine"})
	e.Place(7, time.Unix(1, 0), []byte(testID))
	if e.ID() != "mine" || !e.OwnID || e.Position != 7 {
		t.Fatalf("placed event is %q at %d", e.ID(), e.Position)
	}
}

// Whatever is published, a receiver's parser finds one event with the same id, type and data, line
// ends apart.
func FuzzEventFrame(f *testing.F) {
	f.Add("", "", "hello")
	f.Add("id", "type", "a\r\nb\rc\n")
	f.Add("", "", "\n\n: \n data")
	f.Fuzz(func(t *testing.T, id, kind, data string) {
		u := Update{Topics: []string{"t"}, ID: id, Type: kind, Data: data}
		if u.Validate() != nil {
			t.Skip("not an update")
		}
		e := NewEvent(&u)
		e.Place(1, time.Unix(0, 0), []byte(testID))
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
		seen := 0
		for got, err := range sse.Read(strings.NewReader(string(e.Frame())), nil) {
			if err != nil {
				t.Fatalf("frame does not parse: %v", err)
			}
			seen++
			if got.LastEventID != e.ID() || got.Type != kind || got.Data != want {
				t.Fatalf("received %+v, want id %q, type %q, data %q", got, e.ID(), kind, want)
			}
		}
		if seen != 1 {
			t.Fatalf("frame holds %d events", seen)
		}
	})
}

func BenchmarkNewEvent(b *testing.B) {
	u := Update{Topics: []string{"https://example.com/books/1"}, Data: strings.Repeat("x", 128)}
	b.ReportAllocs()
	for b.Loop() {
		NewEvent(&u)
	}
}
