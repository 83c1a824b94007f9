package redis

import (
	"testing"

	"hubd/persistence"
	"hubd/persistence/logtest"
)

func TestBoard(t *testing.T) {
	t.Parallel()
	logtest.RunBoard(t, func(t testing.TB) (a, b persistence.Board) {
		prefix := newPrefix()
		first := openLog(t, Options{URL: server.URL(), Prefix: prefix})
		second := openLog(t, Options{URL: server.URL(), Prefix: prefix})
		return first.Board("nodes"), second.Board("nodes")
	})
}

// Boards with other names, of the same log and of another, are other boards.
func TestBoardsApart(t *testing.T) {
	t.Parallel()
	prefix := newPrefix()
	log := openLog(t, Options{URL: server.URL(), Prefix: prefix})
	other := openLog(t, Options{URL: server.URL()})
	if err := log.Board("one").Put(t.Context(), "n", []persistence.Entry{{Holder: "n", Key: "k"}}); err != nil {
		t.Fatal(err)
	}
	for _, board := range []persistence.Board{log.Board("two"), other.Board("one")} {
		if entries, err := board.List(t.Context()); err != nil || len(entries) > 0 {
			t.Errorf("another board has %v, %v", entries, err)
		}
	}
}
