package persistence

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"hubd/mercure"
)

// IDKeyLen is the length of the key of an IDCipher in bytes.
const IDKeyLen = 32

const idPrefix = "urn:uuid:"

// IDCipher turns positions into the ids of events, and ids back into positions, so that finding an
// event takes no index. An id discloses neither its position nor its order to anyone without the key
// ("Reconnection" recommends an encrypted form of an internal ordered identifier).
//
// The id is a version 8 UUID (RFC 9562, section 5.8) with 122 bits of content: a 58-bit synthetic
// nonce, which is a keyed digest of the position, and the position encrypted under it. Decoding checks the digest,
// so a foreign UUID passes for one of this store's with a chance of 2^-58. Safe for concurrent use.
type IDCipher struct {
	digest, stream cipher.Block
}

// NewIDCipher returns the cipher of a store from its key, which is IDKeyLen random bytes made with
// the store and kept in it.
func NewIDCipher(key []byte) (*IDCipher, error) {
	if len(key) != IDKeyLen {
		return nil, errors.New("id key has the wrong length")
	}
	digest, err := aes.NewCipher(key[:16])
	if err != nil {
		return nil, err
	}
	stream, err := aes.NewCipher(key[16:])
	if err != nil {
		return nil, err
	}
	return &IDCipher{digest: digest, stream: stream}, nil
}

const nonceMask = 1<<58 - 1

// apply returns the first half of x encrypted in scratch, a block that the caller has at hand: one on
// the stack would not stay there.
func apply(b cipher.Block, x uint64, scratch []byte) uint64 {
	scratch = scratch[:aes.BlockSize]
	clear(scratch[:8])
	binary.BigEndian.PutUint64(scratch[8:], x)
	b.Encrypt(scratch, scratch)
	return binary.BigEndian.Uint64(scratch)
}

// Append appends the id of the event at the position to dst, mercure.IDLen bytes.
func (c *IDCipher) Append(dst []byte, position uint64) []byte {
	dst = slices.Grow(dst, mercure.IDLen)
	scratch := dst[len(dst):cap(dst)]
	nonce := apply(c.digest, position, scratch) & nonceMask
	sealed := position ^ apply(c.stream, nonce, scratch)

	// 48 bits of nonce, version, 10 bits of nonce and 2 of the position, variant, 62 of the position.
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], nonce>>10<<16|0x8000|(nonce&0x3ff)<<2|sealed>>62)
	binary.BigEndian.PutUint64(u[8:], 1<<63|sealed&(1<<62-1))

	dst = append(dst, idPrefix...)
	for i, part := range [...][]byte{u[0:4], u[4:6], u[6:8], u[8:10], u[10:16]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// Position returns the position that the id stands for, or false if this store did not make it. Ids
// are compared byte for byte, so one in capital letters is another id.
func (c *IDCipher) Position(id string) (uint64, bool) {
	text, ok := strings.CutPrefix(id, idPrefix)
	if !ok || len(id) != mercure.IDLen {
		return 0, false
	}
	digits := make([]byte, 32)
	n := 0
	for i := range len(text) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if text[i] != '-' {
				return 0, false
			}
			continue
		}
		if text[i] >= 'A' && text[i] <= 'F' {
			return 0, false
		}
		digits[n] = text[i]
		n++
	}
	var u [16]byte
	if _, err := hex.Decode(u[:], digits); err != nil {
		return 0, false
	}
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	if hi>>12&0xf != 8 || lo>>62 != 2 {
		return 0, false
	}
	nonce := hi>>16<<10 | hi>>2&0x3ff
	position := (hi&3<<62 | lo&(1<<62-1)) ^ apply(c.stream, nonce, digits)
	return position, apply(c.digest, position, digits)&nonceMask == nonce
}
