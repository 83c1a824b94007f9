package actors

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"hubd/mercure"
	"hubd/persistence/memory"
)

// A stream that ends with an event in its socket's way has not got it.
func TestExplainStreamsThatEndWithFullSockets(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, memory.Options{}, Options{EndedStreams: 8, JournalRounds: 8, DispatchTimeout: time.Hour})
	full := &fullPipe{pipe: newPipe()}
	r.attend(t, streamID(1), "a", func(o *Subscription) { full.pipe = o.Conn.(*pipe); o.Conn = full })
	q := Question{Stream: streamID(1), Event: r.store(t, &mercure.Update{Topics: []string{"a"}, Data: "cut"})}
	r.awaitOutcome(t, q, Waiting)
	full.s.Hangup()
	r.awaitOutcome(t, q, Ended)
}

// The hub asks a stream that has ended without its knowledge: the answer is the one of a stream that has ended, at once.
func TestExplainStreamsThatAreEnding(t *testing.T) {
	t.Parallel()
	m, c := newTimed(t, 1000)
	m.q.departed = newDeparted(8)
	c.s.past.id = streamID(1)
	m.employ(c.s, true)
	m.settle()
	c.s.end(ReasonClient)
	reply := make(chan *inspection, 1)
	m.q.inquire(inquiry{streamID(1), 1, reply})
	for m.stepHub() || m.stepTurn() {
		continue
	}
	if i := <-reply; i == nil || !i.over || i.reason != ReasonClient || !i.ended.Equal(m.clock) {
		t.Errorf("the answer is %+v", i)
	}
}

// A stream whose last event was cut in two has not got it.
func TestReachedIsWhatTheSocketHasTaken(t *testing.T) {
	t.Parallel()
	b := &batch{frames: make([]byte, 30), marks: []mark{{5, 10}, {7, 20}, {9, 30}}}
	for offset, want := range map[int]uint64{0: 4, 9: 4, 10: 5, 19: 5, 20: 7, 29: 7, 30: 9} {
		s := &Subscriber{current: b, offset: offset, cursor: 9, past: past{begun: 2}}
		if got := s.reached(); got != want {
			t.Errorf("after %d bytes: %d, want %d", offset, got, want)
		}
	}
	s := &Subscriber{cursor: 6}
	if got := s.reached(); got != 6 {
		t.Errorf("with nothing under way: %d", got)
	}
	s.current = &batch{frames: []byte(heartbeat), marks: []mark{{6, len(heartbeat)}}}
	if got := s.reached(); got != 6 {
		t.Errorf("with a heartbeat under way: %d", got)
	}
}

// When a stream came live is kept to the millisecond, rounded up: no event from its history came later.
func TestLiveSinceIsNotTooEarly(t *testing.T) {
	t.Parallel()
	opened := time.Unix(1000, 5)
	for after, want := range map[time.Duration]time.Duration{
		-time.Hour:                        time.Millisecond, // the clock was set back
		0:                                 time.Millisecond,
		1500 * time.Microsecond:           2 * time.Millisecond,
		time.Hour:                         time.Hour + time.Millisecond,
		math.MaxUint32 * time.Millisecond: 0,
	} {
		p := past{opened: opened.UnixNano()}
		if !p.liveSince().IsZero() {
			t.Fatal("live before it was")
		}
		p.joined(7, opened.Add(after))
		if got := p.liveSince(); got.IsZero() != (want == 0) || want != 0 && !got.Equal(opened.Add(want)) || p.liveFrom != 7 {
			t.Errorf("live %s after it was opened: %s, want %s", after, got.Sub(opened), want)
		}
	}
}

// What a stream reads after its queue has overflowed did not come live, even before it is live again.
func TestOverflowedStreamsAreNotLive(t *testing.T) {
	t.Parallel()
	m, c := newTimed(t, 1000)
	c.s.past.opened = m.clock.UnixNano()
	m.employ(c.s, true)
	m.settle()
	if c.s.past.liveSince().IsZero() || c.s.past.overflowed {
		t.Fatalf("a stream that is live: %+v", c.s.past)
	}
	c.s.overflow()
	if !c.s.past.liveSince().IsZero() || !c.s.past.overflowed {
		t.Errorf("a stream that reads history: %+v", c.s.past)
	}
}

// I4: what streams cost is mostly this, and the allocator has no sizes between 352 and 384 bytes.
func TestSizeOfSubscriber(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Subscriber{}); strconv.IntSize == 64 && size > 352 {
		t.Errorf("a subscriber takes %d bytes", size)
	}
}

func TestStreamID(t *testing.T) {
	t.Parallel()
	id := StreamID{0x12, 0x34, 15: 0xff}
	const text = "urn:uuid:12340000-0000-0000-0000-0000000000ff"
	if id.String() != text {
		t.Errorf("written as %s", id)
	}
	for _, form := range []string{text, text[9:], strings.ToUpper(text[9:])} {
		if got, err := ParseStreamID(form); err != nil || got != id {
			t.Errorf("%q is read as %s, %v", form, got, err)
		}
	}
	for _, wrong := range []string{"", "urn:uuid:", text[1:], text + "0", "1234-00000000-0000-0000-0000000000ff", strings.Replace(text, "-", "0", 1), strings.Replace(text, "f", "g", 1)} {
		if got, err := ParseStreamID(wrong); !errors.Is(err, ErrStreamID) {
			t.Errorf("%q is read as %s, %v", wrong, got, err)
		}
	}
}
