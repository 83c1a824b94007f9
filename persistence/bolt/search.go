package bolt

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"slices"

	"hubd/persistence"
)

// everything is all positions there can be.
var everything = span{1, math.MaxUint64}

// findStrays searches all leaf pages of the file, whether a tree leads to them or not, for records with
// positions within the spans.
//
// A page that is free may hold records of the history as well as older ones: what a transaction that
// failed had written, under positions that were given again. Of two with one position the later counts.
func findStrays(f *os.File, pageSize uint32, wanted []span) (strays, error) {
	s := searcher{wanted: wanted, found: make(map[uint64]stray)}
	size := int64(pageSize)
	buf := make([]byte, pageSize)
	for at := int64(0); ; at += size {
		n, err := f.ReadAt(buf[:size], at)
		if err != nil && !errors.Is(err, io.EOF) {
			continue // a part of the disk that cannot be read
		}
		if n < pageHeaderLen {
			break
		}
		page := buf[:n]
		if binary.NativeEndian.Uint16(page[8:]) != leafPage || binary.NativeEndian.Uint64(page) != uint64(at/size) {
			continue
		}
		if overflow := int64(binary.NativeEndian.Uint32(page[12:])); overflow > 0 {
			if page, err = readOverflow(f, at, (overflow+1)*size); err != nil {
				return strays{}, err
			}
		}
		s.page(page, at)
	}
	found := make([]stray, 0, len(s.found))
	for _, x := range s.found {
		found = append(found, x)
	}
	slices.SortFunc(found, func(a, b stray) int { return cmp.Compare(a.position, b.position) })
	return strays{f, found}, nil
}

// readOverflow reads a long page, or as much of it as there is.
func readOverflow(f *os.File, at, length int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	page := make([]byte, min(length, info.Size()-at))
	n, _ := f.ReadAt(page, at)
	return page[:n], nil
}

// searcher is one search.
type searcher struct {
	wanted []span
	found  map[uint64]stray
}

// page takes the records of a leaf page that begins at the offset in the file.
func (s *searcher) page(page []byte, offset int64) {
	count := int(binary.NativeEndian.Uint16(page[10:]))
	for i := 0; i < count && pageHeaderLen+(i+1)*elementLen <= len(page); i++ {
		e, ok := parseElement(page, i, leafPage)
		if !ok {
			continue
		}
		at := offset + int64(e.offset)
		if e.isBucket() {
			if len(e.value) > bucketHeaderLen+pageHeaderLen && string(e.key) == eventsBucket {
				s.page(e.value[bucketHeaderLen:], at+bucketHeaderLen)
			}
			continue
		}
		s.record(e, at)
	}
}

func (s *searcher) record(e element, offset int64) {
	position, err := keyPosition(e.key)
	if err != nil || !slices.ContainsFunc(s.wanted, func(w span) bool { return position >= w.first && position < w.end }) {
		return
	}
	r, err := persistence.ParseRecord(position, e.value)
	if err != nil {
		return
	}
	if known, found := s.found[position]; !found || known.time.Before(r.Time) {
		s.found[position] = stray{position, offset, len(e.value), r.Time}
	}
}

// guessPageSize returns the size with which most pages of the file have the number that they say.
func guessPageSize(f *os.File, length int64) uint32 {
	best, most := int64(os.Getpagesize()), 0
	for size := int64(1 << 10); size <= 64<<10; size <<= 1 {
		right := 0
		for at := int64(0); at+8 <= length; at += size {
			var id [8]byte
			if _, err := f.ReadAt(id[:], at); err == nil && binary.NativeEndian.Uint64(id[:]) == uint64(at/size) && at > 0 {
				right++
			}
		}
		if right > most {
			best, most = size, right
		}
	}
	return uint32(best)
}
