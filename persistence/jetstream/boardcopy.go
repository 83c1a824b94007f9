package jetstream

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"hubd/persistence"
)

// tenure is the time from when a holder first writes until it drops its entries or another adopts them. Whoever then has
// its name again begins another one, so that what it puts is not taken for what was adopted.
type tenure struct {
	// Holder is whose tenure it is, Owner who has the entries: the same holder or the one that adopted them.
	Holder string `json:"holder"`
	Owner  string `json:"owner"`
	// Milliseconds is the length of the lease, from the message's time on, and 0 where there is none.
	Milliseconds int64 `json:"milliseconds,omitempty"`
	// Adopted tells that Owner came to it by adopting.
	Adopted bool `json:"adopted,omitempty"`

	name     string
	sequence uint64 // of the message that gave it to its owner
	until    time.Time
	entries  map[string]value // shared with boardCopy.entries
}

type value struct {
	bytes    []byte
	sequence uint64
}

// order is greater for what was put or adopted later.
func (t *tenure) order(v value) uint64 { return max(t.sequence, v.sequence) }

// boardCopy is this node's copy of a board, which follows from the newest message of each subject.
type boardCopy struct {
	tenures map[string]*tenure
	// entries are by tenure. There may be some of a tenure of which nothing is known: its message may be newer than
	// theirs, as it is replaced with each renewal.
	entries  map[string]map[string]value
	revision uint64
}

func newBoardCopy() *boardCopy {
	return &boardCopy{tenures: map[string]*tenure{}, entries: map[string]map[string]value{}}
}

// changed notes that a message changed what the board shows. The revision grows even where the engine lost messages and
// uses their sequences again.
func (c *boardCopy) changed(sequence uint64) { c.revision = max(c.revision+1, sequence) }

// of returns the entries of a tenure.
func (c *boardCopy) of(name string) map[string]value {
	entries := c.entries[name]
	if entries == nil {
		entries = map[string]value{}
		c.entries[name] = entries
	}
	return entries
}

// Subjects of a board's messages, after the prefix of the board: "tenure" and its name, "entry", the name of the tenure
// and the key.
const (
	kindTenure = "tenure"
	kindEntry  = "entry"
)

// A message begins with what it says of its subject.
const (
	markPresent = '+'
	markGone    = '-'
)

func keyToken(key string) string { return "k" + base64.RawURLEncoding.EncodeToString([]byte(key)) }

// apply takes over a message. What cannot be read, because it comes from elsewhere, is left out.
func (c *boardCopy) apply(kind, rest string, m stored) {
	if len(m.Data) == 0 {
		return
	}
	present, data := m.Data[0] == markPresent, m.Data[1:]
	if kind == kindTenure {
		c.applyTenure(rest, present, data, m)
		return
	}
	name, token, _ := strings.Cut(rest, ".")
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "k"))
	if kind != kindEntry || err != nil {
		return
	}
	c.changed(m.Sequence)
	if present {
		c.of(name)[string(key)] = value{slices.Clone(data), m.Sequence}
	} else {
		delete(c.of(name), string(key))
	}
}

func (c *boardCopy) applyTenure(name string, present bool, data []byte, m stored) {
	old := c.tenures[name]
	if !present {
		if old != nil && len(old.entries) > 0 {
			c.changed(m.Sequence)
		}
		delete(c.tenures, name)
		delete(c.entries, name)
		return
	}
	t := &tenure{name: name, sequence: m.Sequence, entries: c.of(name)}
	if json.Unmarshal(data, t) != nil {
		return
	}
	if old != nil {
		if t.Owner == old.Owner {
			t.sequence = old.sequence
		} else if len(t.entries) > 0 {
			c.changed(m.Sequence)
		}
	}
	t.until = m.Time.Add(time.Duration(t.Milliseconds) * time.Millisecond)
	c.tenures[name] = t
}

// current returns the tenure that the holder is in, or nil.
func (c *boardCopy) current(holder string) *tenure {
	for _, t := range c.tenures {
		if t.Holder == holder && t.Owner == holder && !t.Adopted {
			return t
		}
	}
	return nil
}

// owned returns the tenures whose entries the owner has.
func (c *boardCopy) owned(owner string) []*tenure {
	var all []*tenure
	for _, t := range c.tenures {
		if t.Owner == owner {
			all = append(all, t)
		}
	}
	return all
}

// list returns the entries of all holders. Where a holder has several with the same key it is the latest.
func (c *boardCopy) list() []persistence.Entry {
	type place struct{ owner, key string }
	latest := map[place]*tenure{}
	for _, t := range c.tenures {
		for key, v := range t.entries {
			at := place{t.Owner, key}
			if other := latest[at]; other == nil || other.order(other.entries[key]) < t.order(v) {
				latest[at] = t
			}
		}
	}
	all := make([]persistence.Entry, 0, len(latest))
	for at, t := range latest {
		all = append(all, persistence.Entry{Holder: at.owner, Key: at.key, Value: slices.Clone(t.entries[at.key].bytes)})
	}
	return all
}
