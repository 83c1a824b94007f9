package persistence

import (
	"bytes"
	"math"
	"math/bits"
	"strings"
	"testing"

	"hubd/mercure"
)

func newCipher(t testing.TB, seed byte) *IDCipher {
	c, err := NewIDCipher(bytes.Repeat([]byte{seed, 1, seed, 3}, IDKeyLen/4))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIDCipherRoundTrip(t *testing.T) {
	t.Parallel()
	c, other := newCipher(t, 1), newCipher(t, 2)
	seen := map[string]bool{}
	for _, position := range []uint64{0, 1, 2, 3, 1000, 1 << 20, 1 << 32, 1<<62 - 1, 1 << 62, 1<<62 + 1, 1 << 63, math.MaxUint64} {
		id := string(c.Append([]byte("x"), position))[1:]
		if len(id) != mercure.IDLen {
			t.Fatalf("id %q has %d bytes, want %d", id, len(id), mercure.IDLen)
		}
		if got, ok := c.Position(id); !ok || got != position {
			t.Errorf("position of %q is (%d, %t), want %d", id, got, ok, position)
		}
		if got, ok := other.Position(id); ok {
			t.Errorf("another store takes %q for its own at %d", id, got)
		}
		if err := mercure.CheckText(id); err != nil {
			t.Errorf("id %q: %v", id, err)
		}
		// RFC 9562, sections 4.1 and 5.8: version 8 and the variant 10.
		if id[23] != '8' || !strings.Contains("89ab", id[28:29]) {
			t.Errorf("id %q is not a version 8 UUID", id)
		}
		if seen[id] {
			t.Errorf("id %q was made twice", id)
		}
		seen[id] = true
	}
}

// "Reconnection" asks for ids that disclose neither timing nor order: those of neighbours have no more
// bits in common than chance gives them.
func TestIDsOfNeighboursHaveNothingInCommon(t *testing.T) {
	t.Parallel()
	c := newCipher(t, 7)
	digits := func(position uint64) (hi, lo uint64) {
		var u [2]uint64
		text := strings.ReplaceAll(string(c.Append(nil, position))[len(idPrefix):], "-", "")
		for i := range 32 {
			u[i/16] = u[i/16]<<4 | uint64(strings.IndexByte("0123456789abcdef", text[i]))
		}
		return u[0], u[1]
	}
	const n = 2000
	differing := 0
	for position := range uint64(n) {
		hi, lo := digits(position)
		nextHi, nextLo := digits(position + 1)
		differing += bits.OnesCount64(hi^nextHi) + bits.OnesCount64(lo^nextLo)
	}
	if mean := float64(differing) / n; math.Abs(mean-61) > 1 {
		t.Errorf("ids of neighbours differ in %.1f of 122 bits, want half of them", mean)
	}
}

func TestForeignIDsHaveNoPosition(t *testing.T) {
	t.Parallel()
	c := newCipher(t, 1)
	good := string(c.Append(nil, 5))
	for _, id := range []string{
		"", "earliest", good[1:], good + "0", strings.ToUpper(good), idPrefix + strings.ToUpper(good[len(idPrefix):]), strings.Replace(good, "-", "_", 1), strings.Replace(good, "urn", "URN", 1),
		good[:len(good)-1] + "g", "urn:uuid:5e94c686-2c0b-4f9b-958c-92ccc3bbb4eb", "urn:uuid:00000000-0000-8000-8000-000000000000",
	} {
		if position, ok := c.Position(id); ok {
			t.Errorf("%q has position %d", id, position)
		}
	}
	for i := range len(good) {
		for _, digit := range "0123456789abcdef" {
			id := good[:i] + string(digit) + good[i+1:]
			if position, ok := c.Position(id); ok && id != good {
				t.Errorf("%q, which is not quite %q, has position %d", id, good, position)
			}
		}
	}
}

func TestIDCipherKeyLength(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := NewIDCipher(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes is taken", n)
		}
	}
}

// FuzzIDPosition holds that each position has one id: what is read back is what would be made.
func FuzzIDPosition(f *testing.F) {
	c := newCipher(f, 1)
	f.Add(string(c.Append(nil, 77)))
	f.Add("urn:uuid:5e94c686-2c0b-4f9b-958c-92ccc3bbb4eb")
	f.Fuzz(func(t *testing.T, id string) {
		if position, ok := c.Position(id); ok && string(c.Append(nil, position)) != id {
			t.Errorf("%q stands for %d, whose id is %q", id, position, c.Append(nil, position))
		}
	})
}

func BenchmarkIDCipher(b *testing.B) {
	c := newCipher(b, 1)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var id []byte
		for position := uint64(0); b.Loop(); position++ {
			id = c.Append(id[:0], position)
		}
	})
	b.Run("position", func(b *testing.B) {
		b.ReportAllocs()
		id := string(c.Append(nil, 12345))
		for b.Loop() {
			c.Position(id)
		}
	})
}
