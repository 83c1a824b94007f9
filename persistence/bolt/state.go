package bolt

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"hubd/persistence"
)

// format is the version of the layout that doc.go describes.
const format = 1

const formatMagic = "hubd log"

const digestKeyLen = 32

// errNewer is returned for a store that a later version of the hub has written.
var errNewer = errors.New("written by a newer version of the hub")

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

// checkFormat tells whether the file is a store that this code reads. A bbolt file without any bucket
// is fresh: it is left behind when a process dies between creating and filling it.
func checkFormat(tx *bbolt.Tx) (fresh bool, err error) {
	if name, _ := tx.Cursor().First(); name == nil {
		return true, nil
	}
	meta := bucket(tx, metaBucket)
	if meta == nil {
		return false, persistence.ErrNotHubStore
	}
	b := meta.Get([]byte(formatKey))
	if len(b) != len(formatMagic)+4 || string(b[:len(formatMagic)]) != formatMagic {
		return false, persistence.ErrNotHubStore
	}
	if v := binary.BigEndian.Uint32(b[len(formatMagic):]); v > format {
		return false, fmt.Errorf("%w: it has format %d, this hub reads up to %d; start the newer one", errNewer, v, format)
	}
	if len(meta.Get([]byte(idKeyKey))) != persistence.IDKeyLen || len(meta.Get([]byte(digestKey))) != digestKeyLen ||
		bucket(tx, eventsBucket) == nil || bucket(tx, idsBucket) == nil {
		return false, fmt.Errorf("%w: a part of the store is missing", persistence.ErrCorrupt)
	}
	return false, nil
}

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
		{formatKey, binary.BigEndian.AppendUint32([]byte(formatMagic), format)},
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

func loadState(tx *bbolt.Tx) (state, error) {
	return parseState(bucket(tx, metaBucket).Get([]byte(stateKey)))
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
