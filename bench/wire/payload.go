package wire

import (
	"bytes"
	"encoding/binary"
)

const (
	// numberLen is the length of a number in a payload or a template.
	numberLen = 8
	// MaxNumber is the largest number that fits.
	MaxNumber = 99_999_999
	// MinPayload is the length of a payload without padding: group, lane, number and time of sending.
	MinPayload = 3*(numberLen+1) + 2*numberLen
)

// padding fills payloads up. Like everything in them it stands for itself in a form.
const padding = 'x'

// Payload is the data of one published update. It names the update exactly, so that a stream can tell
// what it received, and says when it was sent, by the clock of the process that also receives it.
type Payload struct {
	// Group is the set of streams that the update is for.
	Group uint32
	// Lane tells apart the publishers of a group; each numbers its updates 0, 1, 2 and so on.
	Lane uint32
	N    uint32
	// SentAt is in nanoseconds since the start of the load program.
	SentAt int64
}

// Put writes the payload over b, which is at least MinPayload long, and fills what is left with padding.
func (p Payload) Put(b []byte) {
	p.PutNumbers(b)
	for i := MinPayload; i < len(b); i++ {
		b[i] = padding
	}
}

// PutNumbers is Put for a b that has its padding already.
func (p Payload) PutNumbers(b []byte) {
	putNumber(b, p.Group)
	b[8] = '.'
	putNumber(b[9:], p.Lane)
	b[17] = '.'
	putNumber(b[18:], p.N)
	b[26] = '.'
	putNumber(b[27:], uint32(p.SentAt/100_000_000))
	putNumber(b[35:], uint32(p.SentAt%100_000_000))
}

// ParsePayload reads what Put wrote. It reports false when a byte is not as Put would have written it.
func ParsePayload(b []byte) (Payload, bool) {
	if len(b) < MinPayload || b[8] != '.' || b[17] != '.' || b[26] != '.' {
		return Payload{}, false
	}
	group, ok1 := parseNumber(b)
	lane, ok2 := parseNumber(b[9:])
	n, ok3 := parseNumber(b[18:])
	high, ok4 := parseNumber(b[27:])
	low, ok5 := parseNumber(b[35:])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !padded(b[MinPayload:]) {
		return Payload{}, false
	}
	return Payload{Group: group, Lane: lane, N: n, SentAt: int64(high)*100_000_000 + int64(low)}, true
}

// padded compares with a run of padding of the same length, by comparing b with itself moved by one.
func padded(b []byte) bool {
	return len(b) == 0 || b[0] == padding && bytes.Equal(b[1:], b[:len(b)-1])
}

func putNumber(b []byte, v uint32) {
	for i := numberLen - 1; i >= 0; i-- {
		b[i] = '0' + byte(v%10)
		v /= 10
	}
}

// parseNumber reads eight decimal digits at once: it turns pairs of digits into numbers of two, these
// into numbers of four, and those into one, with three multiplications.
func parseNumber(b []byte) (uint32, bool) {
	v := binary.LittleEndian.Uint64(b)
	const high, zeros = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030
	if v&high != zeros || (v+0x0606060606060606)&high != zeros {
		return 0, false
	}
	v -= zeros
	v = v*10 + v>>8
	const pairs = 0x000000ff000000ff
	v = (v&pairs)*(100+1_000_000<<32) + (v>>16&pairs)*(1+10_000<<32)
	return uint32(v >> 32), true
}
