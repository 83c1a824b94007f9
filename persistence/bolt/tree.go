package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"hubd/persistence"
)

// The layout of bbolt's pages, in the machine's byte order; it has not changed since 2014. A page has a
// header, then elements of 16 bytes each, then the keys and values that they point to. A bucket is a
// header and, if its root is page 0, the one page that it consists of.
const (
	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	pageHeaderLen   = 16
	elementLen      = 16
	bucketHeaderLen = 16
	bucketElement   = 0x01

	noFreelist = math.MaxUint64
)

// tree reads a bbolt file page by page and trusts nothing in it. bbolt itself reads through a mapping,
// on goroutines of its own, and a damaged page or a file that was cut off ends the process there. So a
// file is looked at in this way first, and bbolt opens it only if every page is sound.
type tree struct {
	file io.ReaderAt
	meta boltMeta
	used []uint64  // bitmap of the pages that were reached
	leaf []byte    // scratch: the leaf page that is visited
	list []element // scratch: its elements
}

func newTree(file io.ReaderAt, meta boltMeta) *tree {
	return &tree{file: file, meta: meta, used: make([]uint64, meta.pages/64+1)}
}

// bucketRoot is where a bucket begins: a page, or bytes within the page of its parent.
type bucketRoot struct {
	page   uint64
	inline []byte
}

// element is a pair of key and value, or in a branch page a key and the page that begins with it.
type element struct {
	key, value []byte
	offset     int // of the value in its page
	page       uint64
	flags      uint32
}

func (e *element) isBucket() bool { return e.flags == bucketElement }

// walker is told of what a tree holds, in the order of keys. The bytes are valid until it returns. An
// error that it returns ends the walk and is returned.
type walker struct {
	// buckets says that the elements are buckets, and not keys and values.
	buckets bool
	visit   func(element) error
	// lost is told of a page that cannot be used, and of the keys that are out of reach with it: those
	// from from on and before to, where nil is no bound.
	lost func(err error, from, to []byte) error
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %w", persistence.ErrCorrupt, fmt.Errorf(format, args...))
}

// walk visits all elements of a bucket.
func (t *tree) walk(root bucketRoot, w walker) error {
	if root.page == 0 {
		elements, err := parseElements(nil, root.inline, leafPage)
		if err == nil && binary.NativeEndian.Uint16(root.inline[8:]) != leafPage {
			err = errors.New("it is not a leaf")
		}
		if err == nil {
			err = w.check(elements, leafPage, nil, nil)
		}
		if err != nil {
			return w.lost(corrupt("a bucket within a page: %w", err), nil, nil)
		}
		return visitAll(elements, w)
	}
	return t.walkPage(root.page, nil, nil, w)
}

func (t *tree) walkPage(id uint64, from, to []byte, w walker) error {
	kind, elements, err := t.load(id)
	if err == nil {
		err = w.check(elements, kind, from, to)
	}
	if err != nil {
		return w.lost(corrupt("page %d: %w", id, err), from, to)
	}
	if kind == leafPage {
		return visitAll(elements, w)
	}
	for i, child := range elements {
		end := to
		if i+1 < len(elements) {
			end = elements[i+1].key
		}
		if err := t.walkPage(child.page, child.key, end, w); err != nil {
			return err
		}
	}
	return nil
}

func visitAll(elements []element, w walker) error {
	for _, e := range elements {
		if err := w.visit(e); err != nil {
			return err
		}
	}
	return nil
}

// check tells whether the keys ascend within their bounds, and the elements of a leaf are what they should
// be. Keys are not shown: where a length is wrong, one may hold the keys of the store.
func (w *walker) check(elements []element, kind uint16, from, to []byte) error {
	want := uint32(0)
	if w.buckets {
		want = bucketElement
	}
	for i, e := range elements {
		switch {
		case i == 0 && from != nil && bytes.Compare(e.key, from) < 0,
			i > 0 && bytes.Compare(e.key, elements[i-1].key) <= 0,
			to != nil && bytes.Compare(e.key, to) >= 0:
			return fmt.Errorf("the key of element %d is out of order", i)
		case kind == leafPage && e.flags != want:
			return fmt.Errorf("element %d is of kind %#x", i, e.flags)
		}
	}
	return nil
}

// load reads a page of the tree, with those that it flows over into, and notes them as used.
func (t *tree) load(id uint64) (kind uint16, elements []element, err error) {
	page, err := t.read(id, t.leaf)
	if err != nil {
		return 0, nil, err
	}
	kind = binary.NativeEndian.Uint16(page[8:])
	switch kind {
	case leafPage:
		t.leaf = page
		t.list, err = parseElements(t.list, page, kind)
		return kind, t.list, err
	case branchPage:
		// It is needed while its children are visited.
		elements, err = parseElements(nil, slices.Clone(page), kind)
		return kind, elements, err
	}
	return 0, nil, fmt.Errorf("it is of kind %#x, and neither a branch nor a leaf", kind)
}

// read returns a page with its overflow, in scratch if that is large enough.
func (t *tree) read(id uint64, scratch []byte) ([]byte, error) {
	if id < 2 || id >= t.meta.pages {
		return nil, fmt.Errorf("it is not one of the %d pages of the file", t.meta.pages)
	}
	size := uint64(t.meta.pageSize)
	page := slices.Grow(scratch[:0], int(size))[:size]
	if err := t.readAt(page, id*size); err != nil {
		return nil, err
	}
	if got := binary.NativeEndian.Uint64(page); got != id {
		return nil, fmt.Errorf("it says that it is page %d", got)
	}
	overflow := uint64(binary.NativeEndian.Uint32(page[12:]))
	if overflow >= t.meta.pages-id {
		return nil, errors.New("it flows over the end of the file")
	}
	for used := id; used <= id+overflow; used++ {
		if t.used[used/64]&(1<<(used%64)) != 0 {
			return nil, errors.New("it is referred to twice")
		}
		t.used[used/64] |= 1 << (used % 64)
	}
	if overflow > 0 {
		page = slices.Grow(page, int(overflow*size))[:(overflow+1)*size]
		if err := t.readAt(page[size:], (id+1)*size); err != nil {
			return nil, err
		}
	}
	return page, nil
}

func (t *tree) readAt(b []byte, at uint64) error {
	if n, err := t.file.ReadAt(b, int64(at)); n < len(b) {
		if errors.Is(err, io.EOF) {
			return errors.New("it lies beyond the end of the file")
		}
		return err
	}
	return nil
}

// parseElements returns the elements of a branch or leaf page, in scratch if that is large enough. Nothing in
// them lies outside the page.
func parseElements(scratch []element, page []byte, kind uint16) ([]element, error) {
	if len(page) < pageHeaderLen {
		return nil, errors.New("it is too short for a page")
	}
	count := int(binary.NativeEndian.Uint16(page[10:]))
	if pageHeaderLen+count*elementLen > len(page) || kind == branchPage && count == 0 {
		return nil, fmt.Errorf("it cannot have %d elements", count)
	}
	elements := slices.Grow(scratch[:0], count)[:count]
	for i := range elements {
		var ok bool
		if elements[i], ok = parseElement(page, i, kind); !ok {
			return nil, fmt.Errorf("element %d lies outside of it", i)
		}
	}
	return elements, nil
}

// parseElement returns the element at the index, which the page must have room for.
func parseElement(page []byte, i int, kind uint16) (e element, ok bool) {
	at := pageHeaderLen + i*elementLen
	b, order := page[at:at+elementLen], binary.NativeEndian
	var position, keyLen, valueLen uint64
	if kind == branchPage {
		position, keyLen, e.page = uint64(order.Uint32(b)), uint64(order.Uint32(b[4:])), order.Uint64(b[8:])
	} else {
		e.flags = order.Uint32(b)
		position, keyLen, valueLen = uint64(order.Uint32(b[4:])), uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
	}
	start := uint64(at) + position
	if position < elementLen || start+keyLen+valueLen > uint64(len(page)) {
		return element{}, false
	}
	e.key = page[start : start+keyLen : start+keyLen]
	e.offset = int(start + keyLen)
	e.value = page[start+keyLen : start+keyLen+valueLen : start+keyLen+valueLen]
	return e, true
}

// buckets returns the roots of the buckets of the file.
func (t *tree) buckets() (map[string]bucketRoot, error) {
	roots := make(map[string]bucketRoot)
	err := t.walk(bucketRoot{page: t.meta.root}, walker{
		buckets: true,
		visit: func(e element) error {
			if len(e.value) < bucketHeaderLen {
				return corrupt("a bucket has no root")
			}
			root := bucketRoot{page: binary.NativeEndian.Uint64(e.value)}
			if root.page == 0 {
				root.inline = bytes.Clone(e.value[bucketHeaderLen:])
			}
			roots[string(e.key)] = root
			return nil
		},
		lost: func(err error, _, _ []byte) error { return err },
	})
	return roots, err
}

// checkFreelist tells whether the list of free pages, if the file has one, names none that is used. The
// hub's own files have none.
func (t *tree) checkFreelist() error {
	if t.meta.freelist == noFreelist {
		return nil
	}
	page, err := t.read(t.meta.freelist, nil)
	if err != nil {
		return corrupt("page %d: %w", t.meta.freelist, err)
	}
	count, ids := uint64(binary.NativeEndian.Uint16(page[10:])), page[pageHeaderLen:]
	if count == math.MaxUint16 && len(ids) >= 8 {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if binary.NativeEndian.Uint16(page[8:]) != freelistPage || count > uint64(len(ids)/8) {
		return corrupt("page %d: it is not a list of free pages", t.meta.freelist)
	}
	for ; count > 0; count, ids = count-1, ids[8:] {
		id := binary.NativeEndian.Uint64(ids)
		if id < 2 || id >= t.meta.pages || t.used[id/64]&(1<<(id%64)) != 0 {
			return corrupt("page %d: it lists page %d as free", t.meta.freelist, id)
		}
	}
	return nil
}

// freePages returns how many pages were not reached.
func (t *tree) freePages() uint64 {
	free := uint64(0)
	for id := uint64(2); id < t.meta.pages; id++ {
		if t.used[id/64]&(1<<(id%64)) == 0 {
			free++
		}
	}
	return free
}
