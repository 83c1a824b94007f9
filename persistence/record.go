package persistence

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"hubd/mercure"
)

// A record is what a store keeps of one event:
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
//
// Where the position is known only after the record was stored, the id that the hub makes of it is blank in the frame,
// mercure.IDLen zero bytes, and RestoreRecords fills it in.
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

// AppendRecord appends the record of a placed event to dst.
func AppendRecord(dst []byte, e *mercure.Event) []byte { return AppendBlankRecord(dst, e, e.Time) }

// AppendBlankRecord appends the record of an event that has not been placed yet, and that the log accepts at the time.
// Unless the publisher chose the id, it is blank in the record.
func AppendBlankRecord(dst []byte, e *mercure.Event, at time.Time) []byte {
	flags := byte(0)
	if e.Private {
		flags |= flagPrivate
	}
	if e.OwnID {
		flags |= flagOwnID
	}
	start := len(dst)
	dst = append(dst, recordVersion, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at.UnixNano()))
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

// RecordCap is at least the length of the event's record, in bytes.
func RecordCap(e *mercure.Event) int {
	return recordChecksummed + (2+len(e.Topics))*binary.MaxVarintLen32 + Size(e)
}

// Record is a parsed record. It refers to the bytes it was parsed from.
type Record struct {
	// Position is the one that the record was found at; no record holds its own.
	Position uint64
	// Time is when the log accepted the event.
	Time time.Time

	flags  byte
	idLen  int
	topics int    // number of topics
	list   []byte // the topics as encoded
	text   int    // length of all topics together
	frame  []byte
}

// OwnID tells that the publisher chose the id.
func (r *Record) OwnID() bool { return r.flags&flagOwnID != 0 }

// Private tells whether the event is private.
func (r *Record) Private() bool { return r.flags&flagPrivate != 0 }

// ID returns the event's id as a part of the frame. It is zero bytes where the id is blank.
func (r *Record) ID() []byte { return r.frame[len(idField) : len(idField)+r.idLen] }

// Blank tells that the id follows from the position and is not in the frame yet.
func (r *Record) Blank() bool { return !r.OwnID() && r.frame[len(idField)] == 0 }

// Frame returns the event as it goes over the wire, apart from an id that is blank.
func (r *Record) Frame() []byte { return r.frame }

// Fields returns the lines of the frame that follow the id, and the blank line at its end.
func (r *Record) Fields() []byte { return r.frame[len(idField)+r.idLen+1:] }

// Topics returns the topics in memory of their own.
func (r *Record) Topics() []string { return r.appendTopics(nil, string(r.list)) }

// Size is the Size of the event.
func (r *Record) Size() uint64 { return uint64(len(r.frame) + r.text) }

// ParseRecord reads the record of a position without trusting any length in it. Errors wrap ErrCorrupt.
func ParseRecord(position uint64, b []byte) (Record, error) {
	r := Record{Position: position}
	if len(b) < recordChecksummed {
		return r, fmt.Errorf("%w: a record of %d bytes", ErrCorrupt, len(b))
	}
	switch b[0] {
	case recordUnsummed:
	case recordVersion:
		end := len(b) - recordChecksum
		if crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
			return r, fmt.Errorf("%w: a record whose checksum does not match", ErrCorrupt)
		}
		b = b[:end]
	default:
		return r, fmt.Errorf("%w: a record of version %d", ErrCorrupt, b[0])
	}
	r.flags = b[1]
	if r.flags&^flagsKnown != 0 {
		return r, fmt.Errorf("%w: a record with flags %#x", ErrCorrupt, r.flags)
	}
	r.Time = time.Unix(0, int64(binary.BigEndian.Uint64(b[2:])))
	b = b[recordFixed:]

	r.idLen = mercure.IDLen
	ok := true
	if r.OwnID() {
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
		return r, fmt.Errorf("%w: a length in a record exceeds it", ErrCorrupt)
	}
	r.list = r.list[:len(r.list)-len(b)]
	r.frame = b
	if len(b) < frameExtra+r.idLen || string(b[:len(idField)]) != idField ||
		b[len(idField)+r.idLen] != '\n' || string(b[len(b)-len(frameEnd):]) != frameEnd {
		return r, fmt.Errorf("%w: a record without a frame", ErrCorrupt)
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
func (r *Record) appendTopics(dst []string, text string) []string {
	rest := r.list
	for range r.topics {
		n, size := binary.Uvarint(rest)
		end := size + int(n)
		dst = append(dst, text[size:end])
		rest, text = rest[end:], text[end:]
	}
	return dst
}

// RestoreRecords makes the events of records. It copies what they need out of the bytes that the records refer to into
// memory that the events share, so a page costs few allocations; the memory lives as long as one of them does. Ids that
// are blank are made with ids, which may be nil in a store that has none.
func RestoreRecords(records []Record, ids *IDCipher) []*mercure.Event {
	listed, framed, count := 0, 0, 0
	for i := range records {
		listed += len(records[i].list)
		framed += len(records[i].frame)
		count += records[i].topics
	}
	var lists strings.Builder
	lists.Grow(listed)
	for i := range records {
		lists.Write(records[i].list)
	}
	text, topics, frames := lists.String(), make([]string, 0, count), make([]byte, 0, framed)

	page := make([]*mercure.Event, len(records))
	var id []byte // scratch
	for i := range records {
		r := &records[i]
		t, f := len(topics), len(frames)
		topics = r.appendTopics(topics, text[:len(r.list)])
		text = text[len(r.list):]
		frames = append(frames, r.frame...)
		if ids != nil && r.Blank() {
			id = ids.Append(id[:0], r.Position)
			copy(frames[f+len(idField):], id)
		}
		page[i] = mercure.RestoreEvent(r.Position, r.Time, topics[t:len(topics):len(topics)],
			r.Private(), r.OwnID(), r.idLen, frames[f:len(frames):len(frames)])
	}
	return page
}
