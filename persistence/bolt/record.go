package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// A record is what "events" keeps of one event:
//
//	1 byte    version
//	1 byte    flags
//	8 bytes   time, Unix nanoseconds, big-endian
//	uvarint   length of the id, if the publisher chose it
//	uvarint   number of topics
//	          each: uvarint length, text
//	...       the frame, as it was encoded when the event was published
//	4 bytes   CRC-32C of all before it, big-endian
//
// Records of version 1, in stores that earlier hubs wrote, end with the frame.
const (
	recordVersion     = 2
	recordUnsummed    = 1
	recordFixed       = 10
	recordChecksum    = 4
	recordChecksummed = recordFixed + recordChecksum
)

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	flagPrivate = 1 << iota
	flagOwnID
	flagsKnown = flagPrivate | flagOwnID
)

// The frame begins with the id field; see mercure.Event.
const (
	idField    = "id: "
	frameEnd   = "\n\n"
	frameExtra = len(idField) + len("\n") + len("\n")
)

func appendRecord(dst []byte, e *mercure.Event) []byte {
	flags := byte(0)
	if e.Private {
		flags |= flagPrivate
	}
	if e.OwnID {
		flags |= flagOwnID
	}
	start := len(dst)
	dst = append(dst, recordVersion, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Time.UnixNano()))
	if e.OwnID {
		dst = binary.AppendUvarint(dst, uint64(len(e.IDBytes())))
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Topics)))
	for _, topic := range e.Topics {
		dst = binary.AppendUvarint(dst, uint64(len(topic)))
		dst = append(dst, topic...)
	}
	dst = append(dst, e.Frame()...)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// recordCap is at least the length of the event's record.
func recordCap(e *mercure.Event) int {
	return recordChecksummed + (2+len(e.Topics))*binary.MaxVarintLen32 + persistence.Size(e)
}

// record is a parsed record. It refers to the bytes it was parsed from.
type record struct {
	position uint64
	time     time.Time
	flags    byte
	idLen    int
	topics   int    // number of topics
	list     []byte // the topics as encoded
	text     int    // length of all topics together
	frame    []byte
}

func (r *record) own() bool     { return r.flags&flagOwnID != 0 }
func (r *record) private() bool { return r.flags&flagPrivate != 0 }

// id returns the event's id as a part of the frame.
func (r *record) id() []byte { return r.frame[len(idField) : len(idField)+r.idLen] }

// size is persistence.Size of the event.
func (r *record) size() uint64 { return uint64(len(r.frame) + r.text) }

// parseRecord reads the record of a position without trusting any length in it. Errors wrap
// persistence.ErrCorrupt.
func parseRecord(position uint64, b []byte) (record, error) {
	r := record{position: position}
	if len(b) < recordChecksummed {
		return r, fmt.Errorf("%w: a record of %d bytes", persistence.ErrCorrupt, len(b))
	}
	switch b[0] {
	case recordUnsummed:
	case recordVersion:
		end := len(b) - recordChecksum
		if crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
			return r, fmt.Errorf("%w: a record whose checksum does not match", persistence.ErrCorrupt)
		}
		b = b[:end]
	default:
		return r, fmt.Errorf("%w: a record of version %d", persistence.ErrCorrupt, b[0])
	}
	r.flags = b[1]
	if r.flags&^flagsKnown != 0 {
		return r, fmt.Errorf("%w: a record with flags %#x", persistence.ErrCorrupt, r.flags)
	}
	r.time = time.Unix(0, int64(binary.BigEndian.Uint64(b[2:])))
	b = b[recordFixed:]

	r.idLen = mercure.IDLen
	ok := true
	if r.own() {
		r.idLen, b, ok = cutLength(b)
	}
	if ok {
		r.topics, b, ok = cutLength(b)
	}
	r.list = b
	for i := 0; i < r.topics && ok; i++ {
		var n int
		if n, b, ok = cutLength(b); ok {
			r.text += n
			b = b[n:]
		}
	}
	if !ok {
		return r, fmt.Errorf("%w: a length in a record exceeds it", persistence.ErrCorrupt)
	}
	r.list = r.list[:len(r.list)-len(b)]
	r.frame = b
	if len(b) < frameExtra+r.idLen || string(b[:len(idField)]) != idField ||
		b[len(idField)+r.idLen] != '\n' || string(b[len(b)-len(frameEnd):]) != frameEnd {
		return r, fmt.Errorf("%w: a record without a frame", persistence.ErrCorrupt)
	}
	return r, nil
}

// cutLength reads a length, which what follows it must be able to hold.
func cutLength(b []byte) (n int, rest []byte, ok bool) {
	v, size := binary.Uvarint(b)
	if size <= 0 || v > uint64(len(b)-size) {
		return 0, nil, false
	}
	return int(v), b[size:], true
}

// appendTopics appends the topics to dst as parts of text, which is r.list as a string.
func (r *record) appendTopics(dst []string, text string) []string {
	rest := r.list
	for range r.topics {
		n, size := binary.Uvarint(rest)
		end := size + int(n)
		dst = append(dst, text[size:end])
		rest, text = rest[end:], text[end:]
	}
	return dst
}
