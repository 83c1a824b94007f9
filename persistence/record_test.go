package persistence

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
)

func recordOf(u *mercure.Update, position uint64, at time.Time) (*mercure.Event, []byte) {
	e := mercure.NewEvent(u)
	e.Place(position, at, bytes.Repeat([]byte("i"), mercure.IDLen))
	return e, AppendRecord(nil, e)
}

func sampleUpdates() []*mercure.Update {
	return []*mercure.Update{
		{Topics: []string{"t"}},
		{Topics: []string{"t"}, ID: "x"},
		{Topics: []string{"https://example.com/books/1", "", "ü"}, Data: "a\nb\r\nc", ID: "urn:example:1", Type: "change", Retry: "10", Private: true},
		{Topics: slices.Repeat([]string{strings.Repeat("long", 100)}, 200), Data: strings.Repeat("d", 100_000), ID: strings.Repeat("i", 1000)},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	for _, u := range sampleUpdates() {
		for _, at := range []time.Time{time.Unix(0, 0), time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), time.Unix(0, math.MinInt64)} {
			e, b := recordOf(u, 7, at)
			if len(b) > RecordCap(e) {
				t.Errorf("a record of %d bytes, RecordCap says %d", len(b), RecordCap(e))
			}
			r, err := ParseRecord(7, b)
			if err != nil {
				t.Fatal(err)
			}
			got := RestoreRecords([]Record{r}, nil)[0]
			if got.Position != 7 || !got.Time.Equal(at) || !slices.Equal(got.Topics, e.Topics) || got.Private != e.Private ||
				got.OwnID != e.OwnID || got.ID() != e.ID() || !bytes.Equal(got.Frame(), e.Frame()) {
				t.Errorf("restored %+v, want %+v", got, e)
			}
			if r.Size() != uint64(Size(e)) || string(r.ID()) != e.ID() {
				t.Errorf("size %d and id %q, want %d and %q", r.Size(), r.ID(), Size(e), e.ID())
			}
		}
	}
}

// TestRecordLayout pins the format: a store of today is read by the hub of tomorrow.
func TestRecordLayout(t *testing.T) {
	t.Parallel()
	_, b := recordOf(&mercure.Update{Topics: []string{"one", "to"}, ID: "me", Data: "d", Private: true}, 1, time.Unix(0, 0x0102030405060708))
	want := "\x02\x03\x01\x02\x03\x04\x05\x06\x07\x08\x02\x02\x03one\x02toid: me\ndata: d\n\n"
	if want += "\x16\xca\xb0\x4b"; string(b) != want {
		t.Errorf("own id: %q, want %q", b, want)
	}
	_, b = recordOf(&mercure.Update{Topics: []string{"t"}}, 1, time.Unix(0, 1))
	want = "\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01tid: " + strings.Repeat("i", 45) + "\ndata: \n\n"
	if want += "\xf7\x39\x12\x9d"; string(b) != want {
		t.Errorf("made id: %q, want %q", b, want)
	}
}

// unsummed turns a record into one of version 1, as hubs wrote before there were checksums.
func unsummed(record []byte) []byte {
	b := bytes.Clone(record[:len(record)-recordChecksum])
	b[0] = recordUnsummed
	return b
}

func TestRecordWithoutChecksum(t *testing.T) {
	t.Parallel()
	for _, u := range sampleUpdates() {
		e, b := recordOf(u, 7, time.Unix(1, 0))
		r, err := ParseRecord(7, unsummed(b))
		if err != nil {
			t.Fatal(err)
		}
		if got := RestoreRecords([]Record{r}, nil)[0]; got.ID() != e.ID() || !slices.Equal(got.Topics, e.Topics) || !bytes.Equal(got.Frame(), e.Frame()) {
			t.Errorf("restored %+v, want %+v", got, e)
		}
	}
}

// A checksum finds every flipped bit, in data too, where nothing else could.
func TestRecordFlippedBit(t *testing.T) {
	t.Parallel()
	_, b := recordOf(sampleUpdates()[2], 1, time.Unix(1, 0))
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := ParseRecord(1, b); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit %d: %v, want ErrCorrupt", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestRecordDamaged(t *testing.T) {
	t.Parallel()
	_, b := recordOf(sampleUpdates()[2], 1, time.Unix(1, 0))
	b = unsummed(b) // what is wrong is to be found without the checksum
	for i := range b {
		if _, err := ParseRecord(7, b[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("the first %d of %d bytes: %v, want ErrCorrupt", i, len(b), err)
		}
	}
	for name, damage := range map[string]func(b []byte){
		"version":          func(b []byte) { b[0] = 9 },
		"unknown flag":     func(b []byte) { b[1] |= 1 << 7 },
		"id length":        func(b []byte) { b[10]++ },
		"id length huge":   func(b []byte) { copy(b[10:], "\xff\xff\xff\xff\xff\xff\xff\xff\x7f") },
		"number of topics": func(b []byte) { b[11]++ },
		"topic length":     func(b []byte) { b[12] = 0x7f },
		"frame":            func(b []byte) { b[bytes.Index(b, []byte("id: "))] = 'x' },
		"end of the frame": func(b []byte) { b[len(b)-1] = 'x' },
	} {
		damaged := bytes.Clone(b)
		damage(damaged)
		if _, err := ParseRecord(7, damaged); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}

// FuzzRecord holds that no record makes the parser fail otherwise than with an error, and that what it
// accepts is an event that can be stored again.
func FuzzRecord(f *testing.F) {
	for _, u := range sampleUpdates()[:3] {
		_, b := recordOf(u, 1, time.Unix(1, 0))
		f.Add(b)
		f.Add(unsummed(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(7, b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v does not wrap ErrCorrupt", err)
			}
			return
		}
		e := RestoreRecords([]Record{r}, nil)[0]
		again, err := ParseRecord(7, AppendRecord(nil, e))
		if err != nil {
			t.Fatalf("stored again: %v", err)
		}
		if got := RestoreRecords([]Record{again}, nil)[0]; got.ID() != e.ID() || !slices.Equal(got.Topics, e.Topics) || !bytes.Equal(got.Frame(), e.Frame()) ||
			again.Size() != r.Size() || r.Size() != uint64(Size(e)) {
			t.Fatalf("stored again it is %+v, was %+v", got, e)
		}
	})
}

// A record can be stored before its position is known; the id follows from the position when it is read.
func TestRecordWithBlankID(t *testing.T) {
	t.Parallel()
	ids, err := NewIDCipher(bytes.Repeat([]byte("k"), IDKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1, 2)
	var blank, placed []Record
	for i, u := range sampleUpdates() {
		position := uint64(i) + 7
		e := mercure.NewEvent(u)
		stored := AppendBlankRecord(nil, e, at)
		e.Place(position, at, ids.Append(nil, position))
		for _, c := range []struct {
			b  []byte
			to *[]Record
		}{{stored, &blank}, {AppendRecord(nil, e), &placed}} {
			r, err := ParseRecord(position, c.b)
			if err != nil {
				t.Fatal(err)
			}
			*c.to = append(*c.to, r)
		}
		if blank[i].Blank() != (u.ID == "") || placed[i].Blank() {
			t.Errorf("record %d is blank: %t, and once placed: %t", i, blank[i].Blank(), placed[i].Blank())
		}
	}
	want := RestoreRecords(placed, nil)
	for name, got := range map[string][]*mercure.Event{"blank": RestoreRecords(blank, ids), "placed": RestoreRecords(placed, ids)} {
		for i, e := range got {
			if e.Position != want[i].Position || !e.Time.Equal(at) || e.OwnID != want[i].OwnID || !bytes.Equal(e.Frame(), want[i].Frame()) {
				t.Errorf("%s: restored %q at %d, want %q", name, e.Frame(), e.Position, want[i].Frame())
			}
		}
	}
	if blank[0].ID()[0] != 0 {
		t.Error("filling in the id changed the record")
	}
}
