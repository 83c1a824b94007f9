package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// tokenDigest identifies a token together with the role, the audience and the generation of the trusted
// keys it was validated for. It is a SHA-256, so no second token can be found that would take the grant
// of the first.
type tokenDigest [sha256.Size]byte

func digest(role Role, generation uint64, audience string, token []byte) tokenDigest {
	// Most tokens fit in here, which spares the heap.
	var space [2048]byte
	b := append(space[:0], byte(role))
	b = binary.BigEndian.AppendUint64(b, generation)
	b = binary.BigEndian.AppendUint64(b, uint64(len(audience)))
	b = append(b, audience...)
	return sha256.Sum256(append(b, token...))
}

// placeBytes is the part of a token that takes one place in the cache. What a grant takes in memory
// goes by the length of its selectors, so long tokens count for more.
const placeBytes = 1024

// grantCache remembers the grants of valid tokens. Invalid ones are not remembered: whoever has no
// key cannot push out what others use.
//
// It has two generations. When the young one is full it becomes the old one, and the old one goes;
// what is used out of the old one moves to the young one. So what is in use stays, a lookup takes no
// exclusive lock, and nothing has to be kept in order of use.
type grantCache struct {
	places int // of one generation; 0 remembers nothing

	mu         sync.RWMutex // guards all below, for a look into a map or a change of one entry
	young, old map[tokenDigest]cachedGrant
	used       int // places taken in young
}

type cachedGrant struct {
	grant  *Grant
	places int
}

func newGrantCache(places int) *grantCache {
	return &grantCache{places: (max(0, places) + 1) / 2, young: map[tokenDigest]cachedGrant{}}
}

// get returns the grant if it is known and has not expired at the time now. What has expired is left
// to go with its generation.
func (c *grantCache) get(id tokenDigest, now time.Time) *Grant {
	c.mu.RLock()
	found, young := c.young[id]
	if !young {
		found = c.old[id]
	}
	c.mu.RUnlock()

	if found.grant == nil || found.grant.expired(now) {
		return nil
	}
	if !young {
		c.add(id, found)
	}
	return found.grant
}

// put remembers the grant of a token of the given length.
func (c *grantCache) put(id tokenDigest, grant *Grant, length int) {
	c.add(id, cachedGrant{grant: grant, places: (length + placeBytes - 1) / placeBytes})
}

func (c *grantCache) add(id tokenDigest, entry cachedGrant) {
	if entry.places > c.places {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.young[id]; ok {
		return
	}
	if c.used+entry.places > c.places {
		c.old, c.young, c.used = c.young, map[tokenDigest]cachedGrant{}, 0
	}
	c.young[id] = entry
	c.used += entry.places
}
