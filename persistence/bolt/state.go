package bolt

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"hubd/persistence"
)

// format is the version of the layout that doc.go describes. Format 1 has records without checksums; a
// store of that format is read as it is, and marked with the present one before anything is written.
const format = 2

const formatMagic = "hubd log"

const digestKeyLen = 32

// errNewer is returned for a store that a later version of the hub has written.
var errNewer = errors.New("written by a newer version of the hub")

var errMissingPart = fmt.Errorf("%w: a part of the store is missing", persistence.ErrCorrupt)

// Buckets, and keys of the last of them.
const (
	eventsBucket = "events"
	idsBucket    = "ids"
	metaBucket   = "meta"

	formatKey = "format"
	idKeyKey  = "id key"
	digestKey = "digest key"
	stateKey  = "state"
)

func bucket(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }

// state is what changes with every append. It is one value in "meta".
type state struct {
	before  uint64 // position before the oldest retained event
	head    uint64 // position of the newest event ever stored
	size    uint64 // of the retained events, by persistence.Size
	indexed uint64 // the runs cover the positions up to here
	lastID  string // id of the event at head, empty if there was none
}

const stateFixed = 4 * 8

func (s *state) append(dst []byte) []byte {
	for _, v := range [...]uint64{s.before, s.head, s.size, s.indexed} {
		dst = binary.BigEndian.AppendUint64(dst, v)
	}
	return append(dst, s.lastID...)
}

func parseState(b []byte) (state, error) {
	if len(b) < stateFixed {
		return state{}, fmt.Errorf("%w: a state of %d bytes", persistence.ErrCorrupt, len(b))
	}
	s := state{
		before:  binary.BigEndian.Uint64(b),
		head:    binary.BigEndian.Uint64(b[8:]),
		size:    binary.BigEndian.Uint64(b[16:]),
		indexed: binary.BigEndian.Uint64(b[24:]),
		lastID:  string(b[stateFixed:]),
	}
	if s.before > s.head || s.indexed > s.head {
		return state{}, fmt.Errorf("%w: positions are out of order in the state", persistence.ErrCorrupt)
	}
	return s, nil
}

func (s *state) extent() persistence.Extent {
	return persistence.Extent{Before: s.before, Head: s.head, LastID: s.lastID}
}

// header is what "meta" says about a store.
type header struct {
	format           uint32
	idKey, digestKey []byte
	state            state
}

// parseHeader reads the values of "meta".
func parseHeader(get func(key string) []byte) (h header, err error) {
	b := get(formatKey)
	if len(b) != len(formatMagic)+4 || string(b[:len(formatMagic)]) != formatMagic {
		return h, persistence.ErrNotHubStore
	}
	if h.format = binary.BigEndian.Uint32(b[len(formatMagic):]); h.format > format {
		return h, fmt.Errorf("%w: it has format %d, this hub reads up to %d; start the newer one", errNewer, h.format, format)
	}
	h.idKey, h.digestKey = get(idKeyKey), get(digestKey)
	if len(h.idKey) != persistence.IDKeyLen || len(h.digestKey) != digestKeyLen {
		return h, fmt.Errorf("%w: a key of the store is missing", persistence.ErrCorrupt)
	}
	h.state, err = parseState(get(stateKey))
	return h, err
}

// loadHeader reads "meta", or tells that the file is fresh: a bbolt file without any bucket is left
// behind when a process dies between creating and filling it.
func loadHeader(tx *bbolt.Tx) (h header, fresh bool, err error) {
	if name, _ := tx.Cursor().First(); name == nil {
		return h, true, nil
	}
	meta := bucket(tx, metaBucket)
	if meta == nil {
		return h, false, persistence.ErrNotHubStore
	}
	if h, err = parseHeader(func(key string) []byte { return meta.Get([]byte(key)) }); err != nil {
		return h, false, err
	}
	if bucket(tx, eventsBucket) == nil || bucket(tx, idsBucket) == nil {
		return h, false, errMissingPart
	}
	return h, false, nil
}

// loadHeader is the same for a file that bbolt has not opened. It returns the roots of the buckets too.
func (t *tree) loadHeader() (h header, roots map[string]bucketRoot, fresh bool, err error) {
	if roots, err = t.buckets(); err != nil || len(roots) == 0 {
		return h, nil, err == nil, err
	}
	meta, found := roots[metaBucket]
	if !found {
		return h, roots, false, persistence.ErrNotHubStore
	}
	values := make(map[string][]byte)
	err = t.walk(meta, walker{
		visit: func(e element) error {
			values[string(e.key)] = bytes.Clone(e.value)
			return nil
		},
		lost: func(err error, _, _ []byte) error { return err },
	})
	if err != nil {
		return h, roots, false, err
	}
	if h, err = parseHeader(func(key string) []byte { return values[key] }); err != nil {
		return h, roots, false, err
	}
	for _, name := range []string{eventsBucket, idsBucket} {
		if _, found := roots[name]; !found {
			return h, roots, false, errMissingPart
		}
	}
	if len(roots) > len([...]string{eventsBucket, idsBucket, metaBucket}) {
		return h, roots, false, corrupt("the store has a part that is not known")
	}
	return h, roots, false, nil
}

// upgrade marks a store as one of the present format.
func upgrade(tx *bbolt.Tx) error {
	return bucket(tx, metaBucket).Put([]byte(formatKey), formatValue())
}

func formatValue() []byte { return binary.BigEndian.AppendUint32([]byte(formatMagic), format) }

// create makes the buckets, the keys and the state of an empty store.
func create(tx *bbolt.Tx) error {
	for _, name := range []string{eventsBucket, idsBucket} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	meta, err := tx.CreateBucket([]byte(metaBucket))
	if err != nil {
		return err
	}
	keys := make([]byte, persistence.IDKeyLen+digestKeyLen)
	if _, err := rand.Read(keys); err != nil {
		return fmt.Errorf("make the keys: %w", err)
	}
	for _, entry := range []struct {
		key   string
		value []byte
	}{
		{formatKey, formatValue()},
		{idKeyKey, keys[:persistence.IDKeyLen]},
		{digestKey, keys[persistence.IDKeyLen:]},
		{stateKey, (&state{}).append(nil)},
	} {
		if err := meta.Put([]byte(entry.key), entry.value); err != nil {
			return err
		}
	}
	return nil
}

// positionKey is the key of a position in "events" and "ids".
func positionKey(position uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), position)
}

func keyPosition(key []byte) (uint64, error) {
	if len(key) != 8 {
		return 0, fmt.Errorf("%w: a key of %d bytes", persistence.ErrCorrupt, len(key))
	}
	return binary.BigEndian.Uint64(key), nil
}
