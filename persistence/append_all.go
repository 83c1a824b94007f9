package persistence

import "hubd/mercure"

// appendAtOnce is how many events AppendAll hands over before it waits for their answers.
const appendAtOnce = 256

// AppendAll stores the events in their order, many to a commit, and returns how many of them, from the first
// on, were stored, and why the others were not; see Append. Those that were handed over are spent either way.
func (s *Store) AppendAll(events []*mercure.Event) (stored int, err error) {
	for len(events) > 0 && err == nil {
		var n int
		n, err = s.appendSome(events[:min(len(events), appendAtOnce)])
		stored += n
		events = events[n:]
	}
	return stored, err
}

// appendSome hands over as many events as there are credits for and waits for all of them.
func (s *Store) appendSome(events []*mercure.Event) (stored int, err error) {
	sent := make([]*request, 0, len(events))
	for _, e := range events {
		if err = s.limits.admit(e); err != nil {
			break
		}
		size := int64(Size(e))
		if err = s.credits.take(size); err != nil {
			break
		}
		trial, failed := s.health.admit()
		if failed != nil {
			s.credits.give(size)
			err = failed
			break
		}
		r := s.requests.Get().(*request)
		r.event, r.trial = e, trial
		s.send(r)
		sent = append(sent, r)
	}
	if len(sent) > 0 && err != nil && s.health.err() == nil {
		err = nil // the credits of those that were sent come back, and the caller goes on
	}
	for i, r := range sent {
		failed := <-r.done
		s.credits.give(int64(Size(r.event)))
		r.event = nil
		s.requests.Put(r)
		switch {
		case failed != nil && err == nil:
			err = failed
		case failed == nil && stored == i:
			stored++
		}
	}
	return stored, err
}
