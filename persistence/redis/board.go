package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"hubd/persistence"
)

// board is a persistence.Board. A hash has the values of the entries under "holder key", a sorted set the same names in
// order, so that those of a holder are one range of it; neither part has a space in it.
type board struct {
	log  *Log
	keys []string // entries, index, leases, revision
}

// Board implements persistence.Shared.
func (l *Log) Board(name string) persistence.Board {
	tag := "{" + l.prefix + "}:board:" + name + ":"
	return &board{l, []string{tag + "entries", tag + "index", tag + "leases", tag + "revision"}}
}

// run runs a script on the board.
func (b *board) run(ctx context.Context, s *script, attempt string, args ...string) ([]rueidis.RedisMessage, error) {
	ctx, end, err := b.log.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	m, err := b.log.engine.run(ctx, s, b.keys, args)
	if err != nil {
		return nil, b.log.failed(attempt+" on the board in", err)
	}
	return m, nil
}

// Put implements persistence.Board.
func (b *board) Put(ctx context.Context, holder string, entries []persistence.Entry) error {
	args := make([]string, 0, 1+2*len(entries))
	args = append(args, holder)
	for _, e := range entries {
		args = append(args, e.Key, rueidis.BinaryString(e.Value))
	}
	_, err := b.run(ctx, &b.log.scripts.put, "put", args...)
	return err
}

// Delete implements persistence.Board.
func (b *board) Delete(ctx context.Context, holder string, keys []string) error {
	_, err := b.run(ctx, &b.log.scripts.delete, "delete", append([]string{holder}, keys...)...)
	return err
}

// List implements persistence.Board.
func (b *board) List(ctx context.Context) ([]persistence.Entry, error) {
	ctx, end, err := b.log.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	client := b.log.engine.client
	values, err := client.Do(ctx, client.B().Hgetall().Key(b.keys[0]).Build()).AsStrMap()
	if err != nil {
		return nil, b.log.failed("list the board in", unavailable(err))
	}
	entries := make([]persistence.Entry, 0, len(values))
	for name, value := range values {
		entries = append(entries, newEntry(name, value))
	}
	return entries, nil
}

func newEntry(name, value string) persistence.Entry {
	holder, key, _ := strings.Cut(name, " ")
	return persistence.Entry{Holder: holder, Key: key, Value: []byte(value)}
}

// Revision implements persistence.Board.
func (b *board) Revision(ctx context.Context) (uint64, error) {
	ctx, end, err := b.log.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	client := b.log.engine.client
	revision, err := client.Do(ctx, client.B().Get().Key(b.keys[3]).Build()).AsUint64()
	if rueidis.IsRedisNil(err) {
		return 0, nil
	}
	if err != nil {
		return 0, b.log.failed("look at the board in", unavailable(err))
	}
	return revision, nil
}

// Renew implements persistence.Board.
func (b *board) Renew(ctx context.Context, holder string, milliseconds int64) (bool, error) {
	m, err := b.run(ctx, &b.log.scripts.renew, "renew a lease", holder, strconv.FormatInt(milliseconds, 10))
	if err != nil {
		return false, err
	}
	held, err := m[0].AsInt64()
	if err != nil {
		return false, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return held == 1, nil
}

// Adopt implements persistence.Board.
func (b *board) Adopt(ctx context.Context, heir string) ([]persistence.Entry, error) {
	m, err := b.run(ctx, &b.log.scripts.adopt, "adopt", heir)
	if err != nil || len(m) == 1 {
		return nil, err
	}
	adopted := make([]persistence.Entry, 0, len(m)/2)
	for i := 1; i+1 < len(m); i += 2 {
		name, err := m[i].ToString()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		value, err := m[i+1].ToString()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		adopted = append(adopted, newEntry(name, value))
	}
	return adopted, nil
}

// Drop implements persistence.Board.
func (b *board) Drop(ctx context.Context, holder string) error {
	_, err := b.run(ctx, &b.log.scripts.forget, "drop a holder", holder)
	return err
}
