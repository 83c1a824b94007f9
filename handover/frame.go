package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrProtocol says that the peer did not keep to the protocol: it is not a hub, or a broken one.
var ErrProtocol = errors.New("the peer does not keep to the handover protocol")

// kind tells what a frame is.
type kind uint8

const (
	kindHello kind = iota + 1
	kindWelcome
	kindRefusal
	kindListeners
	kindReleased
	kindOpened
	kindFailed
	kindBatch
	kindTaken
	kindDone
	kindConfirmed
)

func (k kind) String() string {
	names := [...]string{"hello", "welcome", "refusal", "listeners", "released", "opened", "failed", "batch", "taken", "done", "confirmed"}
	if k < kindHello || int(k) > len(names) {
		return fmt.Sprintf("frame of kind %d", uint8(k))
	}
	return names[k-1]
}

const (
	// magic opens every frame; its last byte is the version of the frame's layout.
	magic     = "HBD\x01"
	headerLen = 12

	// maxDescriptors is the most that one message carries: SCM_MAX_FD of Linux.
	maxDescriptors = 253
	// maxControl bounds the payload of a control message, in bytes.
	maxControl = 64 << 10
	// maxBatch bounds the payload of a batch, in bytes: one that is full by bytes and then gets the
	// largest state.
	maxBatch = batchBytes + MaxState + 64<<10
)

// limit is the most bytes that the payload of a frame may have.
func (k kind) limit() int {
	if k == kindBatch {
		return maxBatch
	}
	return maxControl
}

// carries reports whether frames of the kind come with descriptors.
func (k kind) carries() bool { return k == kindListeners || k == kindBatch }

// header is the fixed start of a frame: magic, kind (1 byte), descriptors (1), reserved (2), length of the
// payload (4), big-endian.
type header struct {
	kind        kind
	descriptors int
	length      int
}

func (h header) append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, byte(h.kind), byte(h.descriptors), 0, 0)
	return binary.BigEndian.AppendUint32(b, uint32(h.length))
}

// parseHeader reads a header of headerLen bytes and checks every bound that it states.
func parseHeader(b []byte) (header, error) {
	if len(b) != headerLen || string(b[:len(magic)]) != magic {
		return header{}, fmt.Errorf("%w: a frame begins with %q", ErrProtocol, b)
	}
	h := header{kind: kind(b[4]), descriptors: int(b[5])}
	length := binary.BigEndian.Uint32(b[8:])
	switch {
	case h.kind < kindHello || h.kind > kindConfirmed:
		return header{}, fmt.Errorf("%w: unknown %s", ErrProtocol, h.kind)
	case length > uint32(h.kind.limit()):
		return header{}, fmt.Errorf("%w: %s of %d bytes, more than %d", ErrProtocol, h.kind, length, h.kind.limit())
	case h.descriptors > maxDescriptors || h.descriptors > 0 && !h.kind.carries():
		return header{}, fmt.Errorf("%w: %s with %d descriptors", ErrProtocol, h.kind, h.descriptors)
	}
	h.length = int(length)
	return h, nil
}

// frame is one received frame.
type frame struct {
	kind kind
	// payload is valid until the next frame is read.
	payload []byte
	// descriptors belong to who read the frame, to close or to pass on.
	descriptors []int
	// truncated says that the kernel could not install all descriptors, because this process has too many
	// open. There are fewer than the payload speaks of, and nothing tells which are missing.
	truncated bool
}
