package actors

import (
	"sort"
	"time"

	"hubd/mercure"
)

// batch is what one round holds for an audience: events in log order as one run of SSE bytes, shared
// by all of the audience's subscribers and immutable.
type batch struct {
	frames []byte
	marks  []mark
	// accepted is when the log accepted the first event.
	accepted time.Time
	// cost is what the batch counts in a subscriber's queue, in bytes.
	cost int64
}

// mark says where an event ends in the frames.
type mark struct {
	position uint64
	end      int
}

func newBatch(events []*mercure.Event) *batch {
	b := &batch{marks: make([]mark, 0, len(events)), accepted: events[0].Time}
	if len(events) == 1 {
		b.frames = events[0].Frame()
	} else {
		size := 0
		for _, e := range events {
			size += len(e.Frame())
		}
		b.frames = make([]byte, 0, size)
		for _, e := range events {
			b.frames = append(b.frames, e.Frame()...)
		}
	}
	end := 0
	for _, e := range events {
		end += len(e.Frame())
		b.marks = append(b.marks, mark{e.Position, end})
	}
	b.cost = int64(len(b.frames))
	return b
}

// concat makes one batch of several, which is the one that it is if they are one.
func concat(parts []*batch) *batch {
	if len(parts) == 1 {
		return parts[0]
	}
	size, count := 0, 0
	for _, b := range parts {
		size, count = size+len(b.frames), count+len(b.marks)
	}
	whole := &batch{frames: make([]byte, 0, size), marks: make([]mark, 0, count), accepted: parts[0].accepted, cost: int64(size)}
	for _, b := range parts {
		before := len(whole.frames)
		whole.frames = append(whole.frames, b.frames...)
		for _, m := range b.marks {
			whole.marks = append(whole.marks, mark{m.position, before + m.end})
		}
	}
	return whole
}

// remainder is the part of an event that a full socket did not take.
func remainder(e *mercure.Event, written int) *batch {
	frames := e.Frame()[written:]
	return &batch{frames: frames, marks: []mark{{e.Position, len(frames)}}, accepted: e.Time}
}

func (b *batch) last() uint64 { return b.marks[len(b.marks)-1].position }

// since is what the batch holds after the position: itself as a rule, nil if that is nothing. It costs a queue what the whole costs.
func (b *batch) since(position uint64) *batch {
	if b.marks[0].position > position {
		return b
	}
	i := sort.Search(len(b.marks), func(i int) bool { return b.marks[i].position > position })
	if i == len(b.marks) {
		return nil
	}
	from := b.marks[i-1].end
	rest := &batch{frames: b.frames[from:], marks: make([]mark, 0, len(b.marks)-i), accepted: b.accepted, cost: b.cost}
	for _, m := range b.marks[i:] {
		rest.marks = append(rest.marks, mark{m.position, m.end - from})
	}
	return rest
}

// within returns the mark of the event that the offset cuts in two or begins.
func (b *batch) within(offset int) mark {
	i := sort.Search(len(b.marks), func(i int) bool { return b.marks[i].end > offset })
	return b.marks[i]
}
