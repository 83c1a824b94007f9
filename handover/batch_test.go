package handover

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestBatchClosesWhenFull(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ state, want int }{
		{0, batchStreams}, {600, batchStreams}, {batchBytes / 10, 10}, {batchBytes, 1}, {MaxState, 1},
	} {
		var b batch
		n := 1
		for !b.add(Stream{State: make([]byte, test.state)}, nil) {
			n++
		}
		if n != test.want || len(b.seal()) > maxBatch {
			t.Errorf("%d streams of %d bytes fill a batch of %d bytes, want %d streams", n, test.state, len(b.payload), test.want)
		}
	}
	// The largest that is possible: one byte short of full, and then the largest state.
	var b batch
	b.add(Stream{State: make([]byte, batchBytes-batchHead-4-1)}, nil)
	if full := b.add(Stream{State: make([]byte, MaxState)}, nil); !full || len(b.seal()) > maxBatch {
		t.Errorf("a batch of %d bytes, full: %t", len(b.payload), full)
	}
}

func TestTakenRoundTrip(t *testing.T) {
	t.Parallel()
	for count := range 40 {
		taken := make([]bool, count)
		for i := range taken {
			taken[i] = i%3 == 1
		}
		answer := appendTaken(nil, 9, taken)
		got, err := decodeTaken(answer, 9, count)
		if err != nil || !slices.Equal(got, taken) {
			t.Fatalf("%d streams: %v, %v", count, got, err)
		}
		for _, bad := range [][]byte{answer[:len(answer)-1], append(slices.Clone(answer), 0), appendTaken(nil, 8, taken), appendTaken(nil, 9, append(taken, true))} {
			if _, err := decodeTaken(bad, 9, count); !errors.Is(err, ErrProtocol) {
				t.Fatalf("%d streams: the answer %x passed", count, bad)
			}
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	var b batch
	b.number = 3
	for _, state := range []string{"", "one", "a state"} {
		b.add(Stream{State: []byte(state)}, nil)
	}
	f.Add(slices.Clone(b.seal()))
	f.Add([]byte("\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		number, states, err := decodeBatch(payload)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			return
		}
		again := batch{number: number}
		for _, s := range states {
			again.add(Stream{State: s}, nil)
		}
		if !bytes.Equal(again.seal(), payload) {
			t.Fatalf("%x was read as %x", payload, again.payload)
		}
	})
}

func FuzzDecodeTaken(f *testing.F) {
	f.Add(appendTaken(nil, 3, []bool{true, false, true}), uint32(3), 3)
	f.Fuzz(func(t *testing.T, payload []byte, number uint32, count int) {
		if count < 0 || count > maxDescriptors {
			return
		}
		if taken, err := decodeTaken(payload, number, count); err == nil && len(taken) != count {
			t.Fatalf("%d answers for %d streams", len(taken), count)
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add(header{kind: kindBatch, descriptors: 128, length: 1000}.append(nil))
	f.Add([]byte("GET / HTTP/1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			return
		}
		if h.length > maxBatch || h.descriptors > maxDescriptors || h.length > maxControl && h.kind != kindBatch {
			t.Fatalf("%+v is over a bound", h)
		}
		// The reserved bytes are not looked at.
		if again, err := parseHeader(h.append(nil)); err != nil || again != h {
			t.Fatalf("%+v became %+v, %v", h, again, err)
		}
	})
}

func FuzzDecodeHello(f *testing.F) {
	f.Add([]byte(`{"protocol":{"oldest":1,"newest":1},"newcomer":{"pid":1},"listeners":[{"name":"public","address":":80"}],"streams":true}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > maxControl/8 {
			return // what JSON escapes may grow sixfold
		}
		h, err := decodeHello(payload)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatal(err)
			}
			return
		}
		if text, err := encode(h); err != nil {
			t.Fatalf("%+v cannot be sent on: %s, %v", h, text, err)
		}
	})
}
