package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"hubd/mercure"
)

// madeToken stands in subjects for the digest of events whose id the hub made.
const madeToken = "-"

// digestLen is long enough that nobody finds two ids with the same digest.
const digestLen = 16

// token is the last token of the event's subject.
func token(e *mercure.Event) string {
	if !e.OwnID {
		return madeToken
	}
	return digest(e.IDBytes())
}

func digest(id []byte) string {
	sum := sha256.Sum256(id)
	return hex.EncodeToString(sum[:digestLen])
}

// Find implements persistence.Log.
//
// An id that this store made leads to its position by itself. Any other is looked for by its digest, which is part of
// the message's subject: servers keep an index of subjects. Where no event retained has an id that its publisher
// chose, no server is asked.
func (l *Log) Find(id string) (uint64, bool, error) {
	ctx, end, err := l.begin()
	if err != nil {
		return 0, false, err
	}
	defer end()
	before, head := l.feed.Bounds()
	made, isMade := l.cipher.Position(id)
	if isMade = isMade && made > before && made <= head; isMade {
		if isMade, err = l.isMade(ctx, made); err != nil {
			return 0, false, l.failed("find in", err)
		}
	}
	if !isMade {
		made = 0
	}
	if l.known().chosen <= before {
		return made, isMade, nil
	}
	chosen, found, err := l.findChosen(ctx, id, before, head)
	if err != nil {
		return 0, false, l.failed("find in", err)
	}
	if found && !(isMade && made < chosen) {
		return chosen, true, nil
	}
	return made, isMade, nil
}

// isMade tells whether the event at the position has the id that follows from it.
func (l *Log) isMade(ctx context.Context, position uint64) (bool, error) {
	if e := l.feed.At(position); e != nil {
		return !e.OwnID, nil
	}
	events, _, err := l.unbroken(ctx, position, position, 1)
	if err != nil || len(events) == 0 || events[0].Position != position {
		return false, err
	}
	return !events[0].OwnID, nil
}

// findChosen returns the earliest event within (before, head] whose publisher chose the id.
func (l *Log) findChosen(ctx context.Context, id string, before, head uint64) (uint64, bool, error) {
	subject := l.eventSubject(digest([]byte(id)))
	sequence, err := l.locate(ctx, before+1)
	if err != nil {
		return 0, false, err
	}
	for {
		m, err := l.engine.get(ctx, l.target.stream, sequence, subject)
		if errors.Is(err, errNoMessage) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		sequence = m.Sequence + 1
		decoded, corrupt := decode(m.Sequence, m.Data)
		if corrupt != nil || decoded.state.head <= before || string(decoded.records[0].ID()) != id {
			continue
		}
		return decoded.state.head, decoded.state.head <= head, nil
	}
}
