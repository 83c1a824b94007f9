package logtest

import (
	"errors"
	"sync"
	"testing"

	"hubd/persistence"
)

func testClose(t *testing.T, b Backend) {
	t.Run("every call returns ErrClosed", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.appendMany(3, 10)
		id := h.events[20].id
		f := h.follow(0)
		for range 2 {
			if err := h.log.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
		}
		h.checkBounds()
		_, appendErr := h.log.Append(h.batch(""))
		_, emptyErr := h.log.Append(nil)
		_, _, findErr := h.log.Find(id)
		_, readErr := h.log.Read(0, pageBytes)
		_, ringErr := h.log.Read(29, pageBytes)
		_, tailErr := h.log.Tail(0, func() {})
		_, nextErr := f.Next(nil, pageBytes)
		f.Close()
		for name, err := range map[string]error{
			"append": appendErr, "append of nothing": emptyErr, "find": findErr, "read": readErr,
			"read of recent events": ringErr, "tail": tailErr, "next": nextErr,
		} {
			if !errors.Is(err, persistence.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, err)
			}
		}
	})
	t.Run("while it is read", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, b, persistence.Retention{})
		h.appendMany(10, 20)
		var readers sync.WaitGroup
		started := make(chan struct{}, 4)
		for range cap(started) {
			readers.Go(func() {
				for i := 0; ; i++ {
					_, readErr := h.log.Read(uint64(i%200), pageBytes)
					_, _, findErr := h.log.Find(h.events[i%200].id)
					if i == 0 {
						started <- struct{}{}
					}
					if readErr == nil && findErr == nil {
						continue
					}
					if readErr != nil && !errors.Is(readErr, persistence.ErrClosed) || findErr != nil && !errors.Is(findErr, persistence.ErrClosed) {
						t.Errorf("read: %v, find: %v, want ErrClosed", readErr, findErr)
					}
					return
				}
			})
		}
		for range cap(started) {
			<-started
		}
		if err := h.log.Close(); err != nil {
			t.Error(err)
		}
		readers.Wait()
	})
}
