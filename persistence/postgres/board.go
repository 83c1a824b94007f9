package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hubd/persistence"
)

// board is a persistence.Board in the tables boards, board_entries and board_leases. Each method is one statement, and so
// one transaction.
type board struct {
	log  *Log
	name string
}

// change runs a statement that must not be done twice without the caller's knowledge.
func (b *board) change(ctx context.Context, statement string, arguments ...any) error {
	return b.log.ask(ctx, "change a board of", false, func(ctx context.Context, s *session) error {
		_, err := s.Exec(ctx, "SELECT "+b.log.target.quoted()+"."+statement, append([]any{b.name}, arguments...)...)
		return err
	})
}

// Put implements persistence.Board.
func (b *board) Put(ctx context.Context, holder string, entries []persistence.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	keys, values := make([]string, len(entries)), make([][]byte, len(entries))
	for i, e := range entries {
		keys[i], values[i] = e.Key, e.Value
		if e.Value == nil {
			values[i] = []byte{} // nil would be null
		}
	}
	return b.change(ctx, "board_put($1, $2, $3, $4)", holder, keys, values)
}

// Delete implements persistence.Board.
func (b *board) Delete(ctx context.Context, holder string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return b.change(ctx, "board_delete($1, $2, $3)", holder, keys)
}

// Drop implements persistence.Board.
func (b *board) Drop(ctx context.Context, holder string) error {
	return b.change(ctx, "board_drop($1, $2)", holder)
}

// Renew implements persistence.Board.
func (b *board) Renew(ctx context.Context, holder string, milliseconds int64) (held bool, err error) {
	err = b.log.ask(ctx, "renew a lease in", false, func(ctx context.Context, s *session) error {
		return s.QueryRow(ctx, "SELECT "+b.log.target.quoted()+".board_renew($1, $2, $3)", b.name, holder, milliseconds).Scan(&held)
	})
	return held, err
}

// Adopt implements persistence.Board.
func (b *board) Adopt(ctx context.Context, heir string) ([]persistence.Entry, error) {
	return b.entries(ctx, false, "SELECT * FROM "+b.log.target.quoted()+".board_adopt($1, $2)", b.name, heir)
}

// List implements persistence.Board.
func (b *board) List(ctx context.Context) ([]persistence.Entry, error) {
	return b.entries(ctx, true, "SELECT holder, key, value FROM "+b.log.target.quoted()+".board_entries WHERE board = $1", b.name)
}

func (b *board) entries(ctx context.Context, again bool, statement string, arguments ...any) (entries []persistence.Entry, err error) {
	err = b.log.ask(ctx, "read a board of", again, func(ctx context.Context, s *session) error {
		rows, err := s.Query(ctx, statement, arguments...)
		if err != nil {
			return err
		}
		entries, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e persistence.Entry, err error) {
			err = row.Scan(&e.Holder, &e.Key, &e.Value)
			return e, err
		})
		return err
	})
	return entries, err
}

// Revision implements persistence.Board.
func (b *board) Revision(ctx context.Context) (uint64, error) {
	var revision int64
	err := b.log.ask(ctx, "read a board of", true, func(ctx context.Context, s *session) error {
		return s.QueryRow(ctx, "SELECT coalesce((SELECT revision FROM "+b.log.target.quoted()+".boards WHERE board = $1), 0)", b.name).Scan(&revision)
	})
	return uint64(revision), err
}
