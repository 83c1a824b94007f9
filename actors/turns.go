package actors

import "sync/atomic"

// turn is what a lane runs: an actor or an audience that has messages, or one of the two below.
type turn struct {
	next   *turn
	runner interface{ run() }
}

func (t *turn) link() **turn { return &t.next }

// marker stands in every lane's queue.
type marker struct {
	left   atomic.Int32
	passed func()
}

func (m *marker) run() {
	if m.left.Add(-1) == 0 {
		m.passed()
	}
}

// turnstile waits for a lane to come by. It serves one goroutine.
type turnstile struct {
	turn   turn
	passed chan struct{} // capacity 1
}

func newTurnstile() *turnstile {
	t := &turnstile{passed: make(chan struct{}, 1)}
	t.turn.runner = t
	return t
}

func (t *turnstile) run() { t.passed <- struct{}{} }

// await returns when the lane has run what was scheduled before.
func (t *turnstile) await(l *lane) {
	l.schedule(&t.turn)
	<-t.passed
}
