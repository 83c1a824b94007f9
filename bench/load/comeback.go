//go:build linux

package load

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"
)

const (
	// reconnectDelay is how long an ended stream waits before it comes back, where that is asked for.
	reconnectDelay = 20 * int64(time.Millisecond)
	// ownRetry is how long it waits where it is to do as a browser does and the hub has not told it anything.
	ownRetry = 3 * int64(time.Second)
)

// comeback is an ended stream and the time at which it connects again.
type comeback struct {
	at    int64
	index int
}

// later lets a stream connect again in its time. The earliest stands first.
func (s *Streams) later(i int) {
	delay := reconnectDelay
	if s.o.Retry {
		delay = cmp.Or(s.all[i].retry, ownRetry)
	}
	c := comeback{at: s.o.Clock.Now() + delay, index: i}
	at, _ := slices.BinarySearchFunc(s.back, c.at, func(b comeback, at int64) int { return cmp.Compare(b.at, at) })
	s.back = slices.Insert(s.back, at, c)
}

// heed notes the reconnection time if that is what b ends with: a hub writes it last.
func (s *Streams) heed(i int, b []byte) {
	if ns, ok := parseRetry(b); ok {
		s.all[i].retry = ns
		s.told++
	}
}

// Told returns how many times a stream was told when to come back, where Retry is asked for.
func (s *Streams) Told() int { return s.told }

// parseRetry returns the value of a retry field that stands alone at the end of b (HTML Living Standard, section
// 9.2.6), in nanoseconds. Heeding every field of every event would cost more than the rest of the load program.
func parseRetry(b []byte) (ns int64, ok bool) {
	b, ok = bytes.CutSuffix(b, []byte("\n\n"))
	if !ok {
		return 0, false
	}
	digits, ok := bytes.CutPrefix(b[bytes.LastIndexByte(b, '\n')+1:], []byte("retry: "))
	if !ok {
		return 0, false
	}
	ms, err := strconv.ParseUint(string(digits), 10, 31)
	return int64(ms) * int64(time.Millisecond), err == nil
}
