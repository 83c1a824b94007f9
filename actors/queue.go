package actors

import "time"

// onBatch takes what the hub handed over at about this time, and returns how many events the socket took at once. As a rule
// nothing waits before it, and it takes all. Called by a worker.
func (s *Subscriber) onBatch(b *batch, now time.Time) (written int) {
	if !s.joined {
		return 0 // it reads history, or has ended
	}
	if s.state != live || s.current != nil || len(s.pending) > 0 || s.prelude != nil {
		s.wait(b)
		return 0
	}
	if b = b.since(s.cursor); b == nil {
		return 0
	}
	s.cursor = b.last()
	n, err := s.conn.Write(b.frames)
	if err == nil && n == len(b.frames) {
		s.wrote(now)
		return len(b.marks)
	}
	s.current, s.offset = b, n
	s.count(b)
	if err != nil {
		s.end(ReasonWriteError)
		return 0
	}
	s.stall()
	return 0
}

// wait keeps a batch until what comes before it is written: the socket is full, or history is being read. One larger than the
// whole queue is let through when nothing else waits.
func (s *Subscriber) wait(b *batch) {
	if queued := s.queued.load(); queued > 0 && queued+b.cost > s.hub.limits().queue {
		s.overflow()
		return
	}
	s.pending = append(s.pending, b)
	s.count(b)
}

// overflow ends what the hub hands over. What waits is dropped whole, but for the rest of the event that the client has begun
// to receive, and the cursor goes on by itself.
func (s *Subscriber) overflow() {
	s.joined, s.past.overflowed, s.past.liveAfter = false, true, 0
	s.hub.toHub(overflowed{s})
	for _, b := range s.pending {
		s.uncount(b)
	}
	s.pending = nil
	if s.current != nil {
		s.truncate()
	}
	if s.state == live {
		s.state = reading
		s.catchingUp(true)
		s.proceed()
	}
}

// truncate cuts what waits down to the rest of the event that is being written.
func (s *Subscriber) truncate() {
	b := s.current
	m := b.within(s.offset)
	s.uncount(b)
	s.current = &batch{frames: b.frames[s.offset:m.end], marks: []mark{{m.position, m.end - s.offset}}, accepted: b.accepted}
	s.offset = 0
	s.cursor = m.position
}

// tally is that of the lane that runs the subscriber.
func (s *Subscriber) tally() *tally { return &s.inbox.lane.tally }

// count takes a batch into the queue's size, and uncount out of it.
func (s *Subscriber) count(b *batch)   { s.counts(b.cost) }
func (s *Subscriber) uncount(b *batch) { s.counts(-b.cost) }

func (s *Subscriber) counts(bytes int64) {
	s.queued.add(bytes)
	s.tally().waiting.add(bytes)
}
