package bolt

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"go.etcd.io/bbolt"

	"hubd/persistence"
)

// A run is written when as many pairs wait in memory, or when the positions after the last run reach
// a number that bounds what Open has to read.
const (
	runPairs = 4096
	runSpan  = 65536
)

const pairLen = 16

// pair leads from the digest of an id that a publisher chose to a position.
type pair struct{ digest, position uint64 }

// digester turns ids into the digests of pairs. The key keeps publishers from making collisions.
type digester [digestKeyLen]byte

func (d *digester) digest(id []byte) uint64 {
	var scratch [256]byte
	b := append(scratch[:0], d[:]...)
	sum := sha256.Sum256(append(b, id...))
	return binary.BigEndian.Uint64(sum[:])
}

// comparePairs is the order of the pairs in a run.
func comparePairs(a, b pair) int {
	return cmp.Or(cmp.Compare(a.digest, b.digest), cmp.Compare(a.position, b.position))
}

// putRun writes the pairs, which it sorts, as the run that covers the positions up to last.
func putRun(ids *bbolt.Bucket, pairs []pair, last uint64) error {
	slices.SortFunc(pairs, comparePairs)
	value := make([]byte, 0, len(pairs)*pairLen)
	for _, p := range pairs {
		value = binary.BigEndian.AppendUint64(value, p.digest)
		value = binary.BigEndian.AppendUint64(value, p.position)
	}
	ids.FillPercent = 1 // runs are only ever added at the end
	return ids.Put(positionKey(last), value)
}

// dropRuns removes the runs that cover no position after before.
func dropRuns(ids *bbolt.Bucket, before uint64) error {
	for {
		key, _ := ids.Cursor().First()
		if key == nil {
			return nil
		}
		last, err := keyPosition(key)
		if err != nil || last > before {
			return err
		}
		if err := ids.Delete(positionKey(last)); err != nil {
			return err
		}
	}
}

// findInRuns returns the lowest position after the given one that is paired with the digest. Runs cover
// ascending positions, so the first that has one has the lowest.
func findInRuns(ids *bbolt.Bucket, digest, after uint64) (uint64, bool, error) {
	c := ids.Cursor()
	for key, run := c.Seek(positionKey(after + 1)); key != nil; key, run = c.Next() {
		if len(run)%pairLen != 0 {
			return 0, false, fmt.Errorf("%w: a run of %d bytes", persistence.ErrCorrupt, len(run))
		}
		n := len(run) / pairLen
		i := sort.Search(n, func(i int) bool {
			d := binary.BigEndian.Uint64(run[i*pairLen:])
			return d > digest || d == digest && binary.BigEndian.Uint64(run[i*pairLen+8:]) > after
		})
		if i < n && binary.BigEndian.Uint64(run[i*pairLen:]) == digest {
			return binary.BigEndian.Uint64(run[i*pairLen+8:]), true, nil
		}
	}
	return 0, false, nil
}

// findInPairs does the same for pairs in the order of their positions.
func findInPairs(pairs []pair, digest, after uint64) (uint64, bool) {
	for _, p := range pairs {
		if p.digest == digest && p.position > after {
			return p.position, true
		}
	}
	return 0, false
}
