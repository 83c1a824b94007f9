package logtest

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hubd/mercure"
	"hubd/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keeper is a log of which only the bounds count.
type keeper struct {
	persistence.Log
	before, head uint64
}

func (k keeper) Bounds() (before, head uint64) { return k.before, k.head }

// The suite notices a log that leaves an event out, at the start of a page and within it, and takes what retention took
// for no hole.
func TestTheSuiteNoticesAHole(t *testing.T) {
	t.Parallel()
	log := keeper{before: 3, head: 8}
	page := make([]*mercure.Event, 5)
	for i := range page {
		page[i] = mercure.NewEvent(update(i, "own"))
		page[i].Place(log.before+uint64(i)+1, time.Unix(0, 0), nil)
	}
	for name, tc := range map[string]struct {
		after uint64
		page  []*mercure.Event
		hole  bool
	}{
		"after the retention":   {0, page, false},
		"nothing":               {8, nil, false},
		"the first is left out": {0, page[1:], true},
		"one is left out":       {3, []*mercure.Event{page[0], page[2]}, true},
		"one comes twice":       {3, []*mercure.Event{page[0], page[0]}, true},
	} {
		if err := contiguous(log, tc.page, tc.after); errors.Is(err, persistence.ErrHole) != tc.hole || err != nil != tc.hole {
			t.Errorf("%s: %v", name, err)
		}
	}
}
