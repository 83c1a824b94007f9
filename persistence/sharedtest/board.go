package sharedtest

import (
	"context"
	"time"

	"hubd/persistence"
)

// board is a board in memory, guarded by the engine's lock.
type board struct {
	entries  map[string]map[string][]byte // by holder and key
	leases   map[string]time.Time
	revision uint64
}

// view is a node's access to a board.
type view struct {
	node *Node
	name string
}

// Board implements persistence.Shared.
func (n *Node) Board(name string) persistence.Board { return &view{n, name} }

// open locks the engine and returns the board.
func (v *view) open(ctx context.Context) (*board, func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	unlock, err := v.node.reach()
	if err != nil {
		return nil, nil, err
	}
	b := v.node.engine.boards[v.name]
	if b == nil {
		b = &board{entries: map[string]map[string][]byte{}, leases: map[string]time.Time{}}
		v.node.engine.boards[v.name] = b
	}
	return b, unlock, nil
}

func (b *board) put(holder, key string, value []byte) {
	if b.entries[holder] == nil {
		b.entries[holder] = map[string][]byte{}
	}
	b.entries[holder][key] = value
}

// Put implements persistence.Board.
func (v *view) Put(ctx context.Context, holder string, entries []persistence.Entry) error {
	b, unlock, err := v.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, e := range entries {
		b.put(holder, e.Key, e.Value)
	}
	if len(entries) > 0 {
		b.revision++
	}
	return nil
}

// Delete implements persistence.Board.
func (v *view) Delete(ctx context.Context, holder string, keys []string) error {
	b, unlock, err := v.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	before := len(b.entries[holder])
	for _, key := range keys {
		delete(b.entries[holder], key)
	}
	if len(b.entries[holder]) != before {
		b.revision++
	}
	return nil
}

// List implements persistence.Board.
func (v *view) List(ctx context.Context) ([]persistence.Entry, error) {
	b, unlock, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []persistence.Entry
	for holder, entries := range b.entries {
		for key, value := range entries {
			all = append(all, persistence.Entry{Holder: holder, Key: key, Value: value})
		}
	}
	return all, nil
}

// Revision implements persistence.Board.
func (v *view) Revision(ctx context.Context) (uint64, error) {
	b, unlock, err := v.open(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	return b.revision, nil
}

// Renew implements persistence.Board.
func (v *view) Renew(ctx context.Context, holder string, milliseconds int64) (bool, error) {
	b, unlock, err := v.open(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	_, held := b.leases[holder]
	b.leases[holder] = v.node.engine.clock().Add(time.Duration(milliseconds) * time.Millisecond)
	return held, nil
}

// Adopt implements persistence.Board.
func (v *view) Adopt(ctx context.Context, heir string) ([]persistence.Entry, error) {
	b, unlock, err := v.open(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var adopted []persistence.Entry
	for holder, until := range b.leases {
		if holder == heir || v.node.engine.clock().Before(until) {
			continue
		}
		for key, value := range b.entries[holder] {
			adopted = append(adopted, persistence.Entry{Holder: holder, Key: key, Value: value})
			b.put(heir, key, value)
		}
		delete(b.entries, holder)
		delete(b.leases, holder)
	}
	if len(adopted) > 0 {
		b.revision++
	}
	return adopted, nil
}

// Drop implements persistence.Board.
func (v *view) Drop(ctx context.Context, holder string) error {
	b, unlock, err := v.open(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if len(b.entries[holder]) > 0 {
		b.revision++
	}
	delete(b.entries, holder)
	delete(b.leases, holder)
	return nil
}
