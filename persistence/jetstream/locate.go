package jetstream

import (
	"context"
	"errors"
	"slices"
)

// Anchors are kept of so many messages; of more, every other one goes.
const anchorsMost = 1 << 16

// searchSpan is how many messages are rather read than searched.
const searchSpan = 16

// anchor tells that the message at a sequence begins with the event at a position.
type anchor struct{ sequence, position uint64 }

// anchors are in the order of their sequences, which is also that of their positions.
type anchors []anchor

// add takes note of an anchor. One that cannot be true together with those known takes their place: the engine lost
// messages, and others have got their sequences.
func (a *anchors) add(n anchor) {
	all := *a
	i := len(all)
	if i > 0 && n.sequence <= all[i-1].sequence {
		i, _ = slices.BinarySearchFunc(all, n.sequence, bySequence)
	}
	same := i < len(all) && all[i].sequence == n.sequence
	switch {
	case i > 0 && all[i-1].position >= n.position, same && all[i].position != n.position, !same && i < len(all) && all[i].position <= n.position:
		*a = anchors{n}
		return
	case same:
		return
	}
	if all = slices.Insert(all, i, n); len(all) > anchorsMost {
		for i := range all[:len(all)/2] {
			all[i] = all[2*i]
		}
		all = all[:len(all)/2]
	}
	*a = all
}

func bySequence(a anchor, sequence uint64) int {
	switch {
	case a.sequence < sequence:
		return -1
	case a.sequence > sequence:
		return 1
	}
	return 0
}

// around returns the last anchor up to the position, and the first one after it; a zero one where there is none.
func (a anchors) around(position uint64) (low, high anchor) {
	i, _ := slices.BinarySearchFunc(a, position+1, func(a anchor, position uint64) int {
		if a.position < position {
			return -1
		}
		return 1
	})
	if i > 0 {
		low = a[i-1]
	}
	if i < len(a) {
		high = a[i]
	}
	return low, high
}

// forget drops what concerns only events up to the position before.
func (a *anchors) forget(before uint64) {
	n := 0
	for n+1 < len(*a) && (*a)[n+1].position <= before+1 {
		n++
	}
	if n > len(*a)/2 {
		*a = slices.Clone((*a)[n:])
	}
}

// anchor takes note of where a message begins.
func (l *Log) anchor(sequence, position uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.anchors.add(anchor{sequence, position})
}

// unanchor forgets where messages lie.
func (l *Log) unanchor() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.anchors = nil
}

// locate returns a sequence from which on the event at the position is to be looked for: not far from it, unless it is
// gone. Most often that is known already; otherwise it takes a binary search among the messages that nothing is known of.
func (l *Log) locate(ctx context.Context, position uint64) (uint64, error) {
	l.mu.Lock()
	low, high := l.anchors.around(position)
	newest := l.newest
	l.mu.Unlock()
	if position > newest.head {
		return newest.sequence + 1, nil
	}
	if low.sequence == 0 {
		first, m, err := l.begins(ctx, 1)
		if err != nil || first == 0 || m.first() > position {
			return max(first, 1), err
		}
		low = anchor{first, m.first()}
	}
	if high.sequence == 0 {
		high.sequence = newest.sequence + 1
	}
	for high.sequence-low.sequence > searchSpan {
		middle := low.sequence + (high.sequence-low.sequence)/2
		sequence, m, err := l.begins(ctx, middle)
		switch {
		case err != nil:
			return 0, err
		case sequence == 0 || sequence >= high.sequence || m.first() > position:
			high.sequence = middle
		default:
			low = anchor{sequence, m.first()}
		}
	}
	return low.sequence, nil
}

// begins reads the first message from the sequence on that can be read, and takes note of where it begins. The sequence
// is 0 if there is none.
func (l *Log) begins(ctx context.Context, from uint64) (uint64, message, error) {
	for {
		m, err := l.engine.get(ctx, l.target.stream, from, ">")
		if errors.Is(err, errNoMessage) {
			return 0, message{}, nil
		}
		if err != nil {
			return 0, message{}, err
		}
		if decoded, corrupt := decode(m.Sequence, m.Data); corrupt == nil {
			l.anchor(m.Sequence, decoded.first())
			return m.Sequence, decoded, nil
		}
		from = m.Sequence + 1
	}
}
