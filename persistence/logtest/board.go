package logtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/persistence"
)

// longLease outlives every test, in milliseconds.
const longLease = int64(time.Hour / time.Millisecond)

// leasePatience is how long a lease of a millisecond may take to end before the suite calls that missing.
const leasePatience = 30 * time.Second

// boards are two nodes' views of one board.
type boards struct {
	*testing.T
	a, b persistence.Board
}

// RunBoard runs the suite for boards. New returns the views that two nodes have of one board, which is empty.
func RunBoard(t *testing.T, newBoards func(t testing.TB) (a, b persistence.Board)) {
	for _, tc := range []struct {
		name string
		run  func(*boards)
	}{
		{"entries", testBoardEntries},
		{"names and values", testBoardNames},
		{"drop", testBoardDrop},
		{"revision", testBoardRevision},
		{"renew", testBoardRenew},
		{"adopt", testBoardAdopt},
		{"adopt nothing", testBoardAdoptNothing},
		{"the heir's lease ends", testBoardHeirs},
		{"many adopt at once", testBoardAdoptAtOnce},
		{"many put at once", testBoardPutAtOnce},
		{"a context that has ended", testBoardContext},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, b := newBoards(t)
			tc.run(&boards{t, a, b})
		})
	}
}

// entryText is one of the suite's entries as a text, "holder key=value".
func entryText(e persistence.Entry) string {
	return e.Holder + " " + e.Key + "=" + string(e.Value)
}

func sortedTexts(entries []persistence.Entry) []string {
	texts := make([]string, len(entries))
	for i, e := range entries {
		texts[i] = entryText(e)
	}
	slices.Sort(texts)
	return texts
}

// put puts entries given as "key=value".
func (x *boards) put(board persistence.Board, holder string, texts ...string) {
	x.Helper()
	entries := make([]persistence.Entry, len(texts))
	for i, text := range texts {
		key, value, _ := strings.Cut(text, "=")
		entries[i] = persistence.Entry{Holder: holder, Key: key, Value: []byte(value)}
	}
	if err := board.Put(x.Context(), holder, entries); err != nil {
		x.Fatalf("put of %s: %v", holder, err)
	}
}

// check compares what both nodes list with entries given as "holder key=value".
func (x *boards) check(want ...string) {
	x.Helper()
	slices.Sort(want)
	for name, board := range map[string]persistence.Board{"a": x.a, "b": x.b} {
		entries, err := board.List(x.Context())
		if err != nil {
			x.Fatalf("list: %v", err)
		}
		if got := sortedTexts(entries); !slices.Equal(got, want) {
			x.Fatalf("node %s lists %q, want %q", name, got, want)
		}
	}
}

func (x *boards) revision(board persistence.Board) uint64 {
	x.Helper()
	revision, err := board.Revision(x.Context())
	if err != nil {
		x.Fatalf("revision: %v", err)
	}
	return revision
}

// renew renews a lease and checks whether there was one.
func (x *boards) renew(board persistence.Board, holder string, milliseconds int64, want bool) {
	x.Helper()
	held, err := board.Renew(x.Context(), holder, milliseconds)
	if err != nil {
		x.Fatalf("renew of %s: %v", holder, err)
	}
	if held != want {
		x.Fatalf("renew of %s says that it had a lease: %t, want %t", holder, held, want)
	}
}

// adopt adopts until something was there to adopt: leases end by the engine's clock, which nobody here can set.
func (x *boards) adopt(board persistence.Board, heir string) []string {
	x.Helper()
	for deadline := time.Now().Add(leasePatience); ; {
		adopted, err := board.Adopt(x.Context(), heir)
		if err != nil {
			x.Fatalf("adopt by %s: %v", heir, err)
		}
		if len(adopted) > 0 {
			return sortedTexts(adopted)
		}
		if time.Now().After(deadline) {
			x.Fatalf("no lease has ended after %s", leasePatience)
		}
	}
}

func (x *boards) checkTexts(what string, got []string, want ...string) {
	x.Helper()
	if slices.Sort(want); !slices.Equal(got, want) {
		x.Fatalf("%s %q, want %q", what, got, want)
	}
}

func testBoardEntries(x *boards) {
	x.check()
	x.put(x.a, "one", "x=1", "y=2")
	x.put(x.b, "two", "x=3")
	x.check("one x=1", "one y=2", "two x=3")
	x.put(x.b, "one", "y=new", "z=")
	x.put(x.a, "two")
	x.check("one x=1", "one y=new", "one z=", "two x=3")
	if err := x.a.Delete(x.Context(), "one", []string{"x", "missing", "z"}); err != nil {
		x.Fatal(err)
	}
	if err := x.b.Delete(x.Context(), "nobody", []string{"x"}); err != nil {
		x.Fatal(err)
	}
	if err := x.b.Delete(x.Context(), "two", nil); err != nil {
		x.Fatal(err)
	}
	x.check("one y=new", "two x=3")
}

// Names of up to 512 bytes are told apart whatever printable characters they have, and values are bytes.
func testBoardNames(x *boards) {
	var printable []byte
	for c := byte('!'); c <= '~'; c++ {
		printable = append(printable, c)
	}
	long := strings.Repeat("k", 512)
	all := string(printable)
	values := map[string][]byte{}
	for _, holder := range []string{"n", "n!", "n~", "nn", all, long} {
		for _, key := range []string{"k", "k!", all, long, "*", ">", "a.b", "a/b", "%", "_", "'"} {
			value := []byte("\x00\xff " + holder + key)
			if holder == "n" && key == "k" {
				value = bytes.Repeat([]byte{0xfe, 0}, 32<<10)
			}
			values[holder+" "+key] = value
			if err := x.a.Put(x.Context(), holder, []persistence.Entry{{Holder: holder, Key: key, Value: value}}); err != nil {
				x.Fatal(err)
			}
		}
	}
	entries, err := x.b.List(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	got := map[string][]byte{}
	for _, e := range entries {
		got[e.Holder+" "+e.Key] = e.Value
	}
	if len(entries) != len(values) || !maps.EqualFunc(got, values, bytes.Equal) {
		x.Fatalf("%d entries are listed under %d names, %d were put", len(entries), len(got), len(values))
	}
	if err := x.b.Drop(x.Context(), "n"); err != nil {
		x.Fatal(err)
	}
	if entries, err = x.a.List(x.Context()); err != nil || len(entries) != len(values)*5/6 {
		x.Fatalf("%d entries (%v) are left, want %d: another holder's name begins like that of the one dropped", len(entries), err, len(values)*5/6)
	}
}

func testBoardDrop(x *boards) {
	x.put(x.a, "one", "x=1", "y=2")
	x.put(x.a, "two", "x=3")
	x.renew(x.a, "one", longLease, false)
	if err := x.b.Drop(x.Context(), "one"); err != nil {
		x.Fatal(err)
	}
	x.check("two x=3")
	x.renew(x.a, "one", longLease, false)
	if err := x.b.Drop(x.Context(), "nobody"); err != nil {
		x.Fatal(err)
	}
	x.check("two x=3")
}

func testBoardRevision(x *boards) {
	last := x.revision(x.a)
	grows := func(what string) {
		x.Helper()
		for _, board := range []persistence.Board{x.a, x.b} {
			if now := x.revision(board); now <= last {
				x.Fatalf("the revision is %d after %s, it was %d", now, what, last)
			}
		}
		if last = x.revision(x.b); last != x.revision(x.a) {
			x.Fatal("the nodes do not see one revision")
		}
	}
	x.put(x.a, "one", "x=1")
	grows("a put")
	x.put(x.b, "one", "x=2")
	grows("a put in place of an entry")
	x.check("one x=2")
	if now := x.revision(x.a); now != last {
		x.Fatalf("the revision is %d after a list, it was %d", now, last)
	}
	x.put(x.a, "one", "y=1")
	grows("a put")
	if err := x.b.Delete(x.Context(), "one", []string{"y"}); err != nil {
		x.Fatal(err)
	}
	grows("a delete")
	x.renew(x.a, "one", 1, false)
	last = x.revision(x.a)
	x.adopt(x.b, "two")
	grows("an adoption")
	if err := x.a.Drop(x.Context(), "two"); err != nil {
		x.Fatal(err)
	}
	grows("a drop")
}

func testBoardRenew(x *boards) {
	x.put(x.a, "one", "x=1")
	x.renew(x.a, "one", 1, false)
	x.renew(x.b, "one", 1, true) // it has ended perhaps, but nobody has adopted it
	x.checkTexts("adopted are", x.adopt(x.b, "two"), "one x=1")
	x.renew(x.a, "one", longLease, false)
	x.renew(x.a, "one", longLease, true)
	x.check("two x=1")
}

func testBoardAdopt(x *boards) {
	x.put(x.a, "dead", "x=1", "y=2")
	x.put(x.a, "alive", "x=3")
	x.put(x.a, "unleased", "x=4")
	x.put(x.b, "heir", "z=5")
	x.renew(x.a, "alive", longLease, false)
	x.renew(x.b, "heir", longLease, false)
	x.renew(x.a, "dead", 1, false)
	x.checkTexts("adopted are", x.adopt(x.b, "heir"), "dead x=1", "dead y=2")
	x.check("alive x=3", "heir x=1", "heir y=2", "heir z=5", "unleased x=4")
	x.renew(x.a, "alive", longLease, true)
	if err := x.b.Delete(x.Context(), "heir", []string{"x", "y"}); err != nil {
		x.Fatal(err)
	}
	x.check("alive x=3", "heir z=5", "unleased x=4")
}

func testBoardAdoptNothing(x *boards) {
	x.put(x.a, "alive", "x=1")
	x.put(x.a, "unleased", "x=2")
	x.renew(x.a, "alive", longLease, false)
	x.renew(x.a, "empty", 1, false) // a holder without entries may be forgotten, there is nothing to return
	for range 20 {
		if adopted, err := x.b.Adopt(x.Context(), "heir"); err != nil || len(adopted) > 0 {
			x.Fatalf("adopted are %q, %v; want nothing", sortedTexts(adopted), err)
		}
	}
	x.check("alive x=1", "unleased x=2")
}

// An heir that dies before it is done has an heir.
func testBoardHeirs(x *boards) {
	x.put(x.a, "dead", "x=1", "y=2")
	x.renew(x.a, "dead", 1, false)
	x.adopt(x.a, "first")
	x.renew(x.a, "first", 1, false)
	x.checkTexts("adopted are", x.adopt(x.b, "second"), "first x=1", "first y=2")
	x.check("second x=1", "second y=2")
}

func testBoardAdoptAtOnce(x *boards) {
	const holders, heirs = 10, 6
	for i := range holders {
		holder := fmt.Sprint("dead-", i)
		x.put(x.a, holder, fmt.Sprintf("x%d=1", i), fmt.Sprintf("y%d=2", i))
		x.renew(x.a, holder, 1, false)
	}
	var mu sync.Mutex
	times := map[string]int{}
	var work sync.WaitGroup
	for i := range heirs {
		board := []persistence.Board{x.a, x.b}[i%2]
		work.Go(func() {
			for deadline := time.Now().Add(leasePatience); time.Now().Before(deadline); {
				adopted, err := board.Adopt(x.Context(), fmt.Sprint("heir-", i))
				if err != nil {
					x.Errorf("adopt: %v", err)
					return
				}
				mu.Lock()
				for _, e := range adopted {
					times[e.Holder+" "+e.Key]++
				}
				all := len(times)
				mu.Unlock()
				if all == 2*holders {
					return
				}
			}
		})
	}
	work.Wait()
	for name, n := range times {
		if n != 1 {
			x.Errorf("%s was given to %d nodes", name, n)
		}
	}
	if len(times) != 2*holders {
		x.Errorf("%d entries were adopted, want %d", len(times), 2*holders)
	}
	entries, err := x.b.List(x.Context())
	if err != nil || len(entries) != 2*holders {
		x.Fatalf("%d entries are left, %v; want %d", len(entries), err, 2*holders)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Holder, "heir-") {
			x.Errorf("%s still has %s", e.Holder, e.Key)
		}
	}
}

func testBoardPutAtOnce(x *boards) {
	const puts = 25
	var want []string
	var work sync.WaitGroup
	for i := range 4 {
		board, holder := []persistence.Board{x.a, x.b}[i%2], fmt.Sprint("node-", i)
		for n := range puts {
			want = append(want, fmt.Sprintf("%s k%d=%d", holder, n, n))
		}
		work.Go(func() {
			for n := range puts {
				entries := []persistence.Entry{
					{Holder: holder, Key: fmt.Sprint("k", n), Value: fmt.Append(nil, n)},
					{Holder: holder, Key: "temporary", Value: nil},
				}
				if err := board.Put(x.Context(), holder, entries); err != nil {
					x.Errorf("put: %v", err)
				}
				if err := board.Delete(x.Context(), holder, []string{"temporary"}); err != nil {
					x.Errorf("delete: %v", err)
				}
			}
		})
	}
	work.Wait()
	x.check(want...)
}

func testBoardContext(x *boards) {
	ctx, cancel := context.WithCancel(x.Context())
	cancel()
	if _, err := x.a.List(ctx); err == nil {
		x.Error("list works")
	}
	if err := x.a.Put(ctx, "one", []persistence.Entry{{Holder: "one", Key: "x"}}); err == nil {
		x.Error("put works")
	}
	if _, err := x.a.Renew(ctx, "one", longLease); err == nil {
		x.Error("renew works")
	}
}
