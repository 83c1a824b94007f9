package actors

import (
	"slices"
	"time"
)

// register is all streams at a moment, and some that have ended.
type register struct {
	members []*Subscriber
	ended   []departure
}

// roll lists the streams. Only what is immutable or atomic in them may be read from elsewhere.
func (q *sequencer) roll(ended int) register {
	return register{slices.Clone(q.members), q.departed.newest(ended)}
}

// StreamFilter says which streams to list.
type StreamFilter struct {
	// Topic selects the streams with a matcher that selects this topic; empty is every stream.
	Topic string
	// Subject selects the streams whose token has this subject; empty is every stream.
	Subject string
	// Limit is how many are listed, of those that are open and those that have ended; After is the id of the stream to go on
	// after, zero for the beginning.
	Limit int
	After StreamID
}

// StreamList is what Streams returns; as JSON it is the answer of the admin server.
type StreamList struct {
	// Open is how many streams are open in all, Matching how many of them the filter selects.
	Open     int            `json:"open"`
	Matching int            `json:"matching"`
	Streams  []ListedStream `json:"streams"`
	// Next is the id to go on after; empty if there are no more.
	Next string `json:"next,omitempty"`
	// Ended are those that ended last, newest first.
	Ended []ListedStream `json:"ended"`
}

// ListedStream is what the list says of a stream.
type ListedStream struct {
	Stream      string             `json:"subscriber"`
	Subject     string             `json:"subject,omitempty"`
	Opened      time.Time          `json:"opened"`
	Ended       time.Time          `json:"ended,omitzero"`
	Reason      string             `json:"reason,omitempty"`
	QueuedBytes int64              `json:"queued_bytes,omitempty"`
	Matchers    []ExplainedMatcher `json:"matchers"`
}

// Streams lists streams, in the order of their ids, for the operator. Errors wrap ErrStopping or ErrNoAnswer.
func (h *Hub) Streams(f StreamFilter) (*StreamList, error) {
	all, err := ask(h, func(reply chan<- register) any { return roll{f.Limit, reply} })
	if err != nil {
		return nil, err
	}
	return f.list(all), nil
}

func (f *StreamFilter) list(all register) *StreamList {
	l := &StreamList{Open: len(all.members), Streams: []ListedStream{}, Ended: []ListedStream{}}
	chosen := slices.DeleteFunc(all.members, func(s *Subscriber) bool { return !f.has(s) })
	l.Matching = len(chosen)
	slices.SortFunc(chosen, func(a, b *Subscriber) int { return slices.Compare(a.past.id[:], b.past.id[:]) })
	if f.After != (StreamID{}) {
		chosen = slices.DeleteFunc(chosen, func(s *Subscriber) bool { return slices.Compare(s.past.id[:], f.After[:]) <= 0 })
	}
	if len(chosen) > f.Limit {
		chosen = chosen[:f.Limit]
		if f.Limit > 0 {
			l.Next = chosen[f.Limit-1].past.id.String()
		}
	}
	for _, s := range chosen {
		one := ListedStream{
			Stream: s.past.id.String(), Opened: s.past.openedAt(), QueuedBytes: s.queued.load(), Matchers: explainMatchers(s.want),
		}
		if s.identity != nil {
			one.Subject = s.identity.Subject
		}
		l.Streams = append(l.Streams, one)
	}
	for i := range all.ended {
		d := &all.ended[i]
		if f.Subject != "" || f.Topic != "" && !d.want.Match(f.Topic) {
			continue
		}
		l.Ended = append(l.Ended, ListedStream{
			Stream: d.id.String(), Opened: d.openedAt(), Ended: d.ended, Reason: d.reason.String(), Matchers: explainMatchers(d.want),
		})
	}
	return l
}

func (f *StreamFilter) has(s *Subscriber) bool {
	return (f.Topic == "" || s.want.Match(f.Topic)) && (f.Subject == "" || s.identity != nil && s.identity.Subject == f.Subject)
}
