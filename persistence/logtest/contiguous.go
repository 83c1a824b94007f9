package logtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// contiguous checks that a page goes on after the position without a gap, but for what the log itself says that retention
// has taken. A log that others have open may have to hear first of what theirs took.
func contiguous(log persistence.Log, page []*mercure.Event, after uint64) error {
	if shared, ok := log.(persistence.Shared); ok {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return persistence.CheckShared(ctx, shared, page, after)
	}
	before, _ := log.Bounds()
	return persistence.CheckPage(page, after, before)
}

// testContiguous reads the history on one log while the other appends and takes away: no page has a hole, and none begins
// later than retention explains.
func testContiguous(t *testing.T, b Backend) {
	for name, r := range map[string]persistence.Retention{
		"all of it is kept":  {},
		"a part of it":       {MaxEvents: 40},
		"less than comes":    {MaxEvents: 3},
		"as many bytes":      {MaxBytes: 4000},
		"nothing stays long": {MaxAge: time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNodes(t, b, r)
			const batches = 50
			var appending sync.WaitGroup
			appended := make(chan struct{})
			appending.Go(func() {
				defer close(appended)
				for i := range batches {
					batch := make([]*mercure.Event, 1+i%7)
					for j := range batch {
						batch[j] = mercure.NewEvent(update(i+j, ""))
					}
					if _, err := n.logs[0].Append(batch); err != nil {
						t.Errorf("append: %v", err)
						return
					}
				}
			})
			defer appending.Wait()
			for ended := false; !ended; {
				select {
				case <-appended:
					ended = true // and once more, with all of it there
				default:
				}
				readContiguous(t, n.logs[1])
			}
		})
	}
}

// readContiguous reads what there is of a log from the beginning, by page and by a tail.
func readContiguous(t *testing.T, log persistence.Log) {
	t.Helper()
	for after := uint64(0); ; {
		page, err := log.Read(after, pageBytes)
		if err != nil {
			t.Fatalf("read after %d: %v", after, err)
		}
		if len(page) == 0 {
			break
		}
		if err := contiguous(log, page, after); err != nil {
			t.Fatal(err)
		}
		after = page[len(page)-1].Position
	}
	tail, err := log.Tail(0, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	for after := uint64(0); ; {
		page, err := tail.Next(nil, pageBytes)
		if err != nil {
			t.Fatalf("next after %d: %v", after, err)
		}
		if len(page) == 0 {
			return
		}
		if err := contiguous(log, page, after); err != nil {
			t.Fatal(err)
		}
		after = page[len(page)-1].Position
	}
}
