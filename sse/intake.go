package sse

import "sync"

// intake says whether connections are accepted, which they are unless it was closed.
type intake struct {
	// mu guards the one below; it is held for a few instructions.
	mu sync.Mutex
	// waiting is closed when connections are accepted again; nil while they are.
	waiting chan struct{}
}

func (i *intake) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waiting == nil {
		i.waiting = make(chan struct{})
	}
}

func (i *intake) open() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waiting != nil {
		close(i.waiting)
		i.waiting = nil
	}
}

// opened is closed once connections are accepted.
func (i *intake) opened() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waiting != nil {
		return i.waiting
	}
	open := make(chan struct{})
	close(open)
	return open
}
