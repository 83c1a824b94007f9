package bolt

import (
	"fmt"
	"io"

	"hubd/persistence"
)

// contents is what inspect finds in a file.
type contents struct {
	header header
	// fresh is set for a file without anything in it, of which nothing else is known.
	fresh bool
	txid  uint64
	// size is that of the retained events whose records can be read.
	size     uint64
	setbacks persistence.Setbacks
	damaged  []damagedRecord
}

// damagedRecord is a record that cannot be read in a file that is sound otherwise.
type damagedRecord struct {
	position uint64
	err      error
}

// inspect looks at every page and every record of a file, and tells whether bbolt can work with it: a
// page that is not sound, or positions that do not follow one another, are an error. A record that
// cannot be read is none; it is noted.
func inspect(file io.ReaderAt, meta boltMeta) (contents, error) {
	t := newTree(file, meta)
	c := contents{txid: meta.txid}
	h, roots, fresh, err := t.loadHeader()
	if err != nil || fresh {
		c.fresh = fresh
		return c, err
	}
	c.header = h
	sound := func(err error, _, _ []byte) error { return err }
	err = t.walk(roots[idsBucket], walker{lost: sound, visit: func(e element) error {
		_, err := keyPosition(e.key)
		return err
	}})
	if err != nil {
		return c, err
	}
	s := sequence{state: h.state}
	err = t.walk(roots[eventsBucket], walker{lost: sound, visit: func(e element) error {
		position, err := s.next(e.key)
		if err != nil {
			return err
		}
		r, err := persistence.ParseRecord(position, e.value)
		switch {
		case position <= h.state.before:
		case err != nil:
			c.damaged = append(c.damaged, damagedRecord{position, err})
		default:
			c.size += r.Size()
			c.setbacks.Note(position, r.Time)
		}
		return nil
	}})
	if err != nil {
		return c, err
	}
	if err := s.end(); err != nil {
		return c, err
	}
	return c, t.checkFreelist()
}

// sequence checks that positions follow one another up to the head, from the oldest event on at the
// latest. Records before that one are those that retention took out of the history and that are still to
// be removed.
type sequence struct {
	state    state
	begun    bool
	previous uint64
}

func (s *sequence) next(key []byte) (uint64, error) {
	position, err := keyPosition(key)
	if err != nil {
		return 0, err
	}
	switch {
	case !s.begun && (position == 0 || position > s.state.before+1):
		return 0, fmt.Errorf("%w: the records begin at position %d, the history after %d", persistence.ErrCorrupt, position, s.state.before)
	case s.begun && position != s.previous+1:
		return 0, fmt.Errorf("%w: record %d follows record %d", persistence.ErrCorrupt, position, s.previous)
	}
	s.begun, s.previous = true, position
	return position, nil
}

func (s *sequence) end() error {
	if !s.begun {
		s.previous = s.state.before
	}
	if s.previous != s.state.head {
		return fmt.Errorf("%w: the records end at position %d, the history at %d", persistence.ErrCorrupt, s.previous, s.state.head)
	}
	return nil
}
