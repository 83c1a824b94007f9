package bolt

import (
	"bytes"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// recordOf returns an event at a position and its record.
func recordOf(u *mercure.Update, position uint64, at time.Time) (*mercure.Event, []byte) {
	e := mercure.NewEvent(u)
	e.Place(position, at, bytes.Repeat([]byte("i"), mercure.IDLen))
	return e, persistence.AppendRecord(nil, e)
}

// unsummed turns a record into one of version 1, as hubs wrote before there were checksums: they end with the frame.
func unsummed(record []byte) []byte {
	b := bytes.Clone(record[:len(record)-4])
	b[0] = 1
	return b
}

// FuzzState and FuzzMeta hold for what is read from the file beside records that no bytes make the parser fail
// otherwise than with an error.
func FuzzState(f *testing.F) {
	f.Add((&state{before: 1, head: 5, size: 9, indexed: 2, lastID: "x"}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseState(b); err == nil && !bytes.Equal(s.append(nil), b) {
			t.Fatalf("%q is read as %+v", b, s)
		}
	})
}

func FuzzMeta(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readMeta(bytes.NewReader(b))
	})
}
