package handover

import (
	"encoding/binary"
	"fmt"
)

const (
	// MaxState is the most bytes that the state of a stream may have. One that is larger stays with the
	// holder.
	MaxState = 4 << 20

	// batchStreams and batchBytes close a batch: by its descriptors, of which a message carries at most
	// maxDescriptors, or by its bytes.
	batchStreams = 128
	batchBytes   = 1 << 20
	// window is how many batches may be under way. Descriptors in flight count against the sender's
	// limit of open files, and must fit one of 1,024.
	window = 4

	batchHead = 6 // number of the batch (4), count (2)
)

// batch collects streams until they are sent. Its payload is the batch's number (4 bytes), the count (2) and
// for each stream the length of its state (4) and the state, big-endian. The streams' descriptors come with
// the frame, in the same order.
type batch struct {
	number      uint32
	descriptors []int
	payload     []byte
	settle      []func(taken bool)
}

// add puts a stream into the batch and reports whether it is full.
func (b *batch) add(s Stream, settle func(taken bool)) (full bool) {
	if len(b.payload) == 0 {
		b.payload = append(b.payload, make([]byte, batchHead)...)
	}
	b.descriptors = append(b.descriptors, s.FD)
	b.payload = binary.BigEndian.AppendUint32(b.payload, uint32(len(s.State)))
	b.payload = append(b.payload, s.State...)
	b.settle = append(b.settle, settle)
	return len(b.settle) == batchStreams || len(b.payload) >= batchBytes
}

// seal completes the payload.
func (b *batch) seal() []byte {
	binary.BigEndian.PutUint32(b.payload, b.number)
	binary.BigEndian.PutUint16(b.payload[4:], uint16(len(b.settle)))
	return b.payload
}

// decodeBatch returns the number of a batch and the states, which are slices of the payload.
func decodeBatch(payload []byte) (number uint32, states [][]byte, err error) {
	if len(payload) < batchHead {
		return 0, nil, fmt.Errorf("%w: a batch of %d bytes", ErrProtocol, len(payload))
	}
	number = binary.BigEndian.Uint32(payload)
	count := int(binary.BigEndian.Uint16(payload[4:]))
	if count == 0 || count > maxDescriptors {
		return 0, nil, fmt.Errorf("%w: a batch of %d streams", ErrProtocol, count)
	}
	rest := payload[batchHead:]
	states = make([][]byte, count)
	for i := range states {
		if len(rest) < 4 {
			return 0, nil, fmt.Errorf("%w: a batch ends before stream %d of %d", ErrProtocol, i+1, count)
		}
		size := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if size > MaxState || int(size) > len(rest) {
			return 0, nil, fmt.Errorf("%w: a state of %d bytes where %d are left", ErrProtocol, size, len(rest))
		}
		states[i], rest = rest[:size:size], rest[size:]
	}
	if len(rest) > 0 {
		return 0, nil, fmt.Errorf("%w: %d bytes after a batch", ErrProtocol, len(rest))
	}
	return number, states, nil
}

// appendTaken makes the answer to a batch: its number (4 bytes), the count (2) and a bit for each stream, the
// first in the lowest bit of the first byte, set if the newcomer has it.
func appendTaken(b []byte, number uint32, taken []bool) []byte {
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(taken)))
	at := len(b)
	b = append(b, make([]byte, (len(taken)+7)/8)...)
	for i, yes := range taken {
		if yes {
			b[at+i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// decodeTaken reads the answer to the batch with the number, which had count streams.
func decodeTaken(payload []byte, number uint32, count int) ([]bool, error) {
	if len(payload) != batchHead+(count+7)/8 || binary.BigEndian.Uint32(payload) != number ||
		int(binary.BigEndian.Uint16(payload[4:])) != count {
		return nil, fmt.Errorf("%w: the answer to batch %d of %d streams is of another", ErrProtocol, number, count)
	}
	bits := payload[batchHead:]
	taken := make([]bool, count)
	for i := range taken {
		taken[i] = bits[i/8]&(1<<(i%8)) != 0
	}
	return taken, nil
}
