package actors

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubd/mercure"
)

// recentUpdates is how many of the newest updates are looked at for their topics, and mostTopics how many topics are told.
const (
	recentUpdates = 1000
	mostTopics    = 500
)

// TopicList is which topics were published to of late; as JSON it is the answer of the hub's address.
type TopicList struct {
	// Updates is how many updates were looked at, the newest, and Found how many topics they have that the asker may know of.
	Updates int `json:"updates"`
	Found   int `json:"found"`
	// SubscriptionEvents are how many of them the hub published itself. Their topics, one for each stream, are left out; the
	// number is told to whom Streams is.
	SubscriptionEvents int `json:"subscription_events,omitempty"`
	// Topics are those with most updates first, no more than 500.
	Topics []ListedTopic `json:"topics"`
}

// ListedTopic is what the list says of a topic.
type ListedTopic struct {
	Topic   string    `json:"topic"`
	Updates int       `json:"updates"`
	Newest  time.Time `json:"newest"`
	// Streams is how many streams follow the topic live, by whichever matcher; nil where the asker may not know.
	Streams *int `json:"streams,omitempty"`
}

// RecentTopics lists the topics of the newest updates that the asker's grants select. How many streams follow them is told
// to those who may read the whole collection of subscriptions. Errors are those of Streams, or come from the log.
func (h *Hub) RecentTopics(asker *Asker) (*TopicList, error) {
	l, counts := &TopicList{Topics: []ListedTopic{}}, make(map[string]*ListedTopic)
	before, head := h.o.Log.Bounds()
	for at := max(before, head-min(head, recentUpdates)); at < head; {
		events, err := h.o.Log.Read(at, h.o.PageBytes)
		if err != nil {
			return nil, fmt.Errorf("reading history after position %d: %w", at, err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			l.Updates++
			if strings.HasPrefix(e.Topics[0], mercure.SubscriptionTopics(h.o.HubPath)) {
				l.SubscriptionEvents++
				continue
			}
			tallyTopics(counts, e, asker)
		}
		at = events[len(events)-1].Position
	}
	l.Found = len(counts)
	for _, t := range counts {
		l.Topics = append(l.Topics, *t)
	}
	slices.SortFunc(l.Topics, func(a, b ListedTopic) int {
		return cmp.Or(b.Updates-a.Updates, cmp.Compare(a.Topic, b.Topic))
	})
	l.Topics = l.Topics[:min(len(l.Topics), mostTopics)]
	if asker != nil && !asker.Grants.Match(h.o.HubPath+"/subscriptions") {
		l.SubscriptionEvents = 0
		return l, nil
	}
	names := make([]string, len(l.Topics))
	for i := range l.Topics {
		names[i] = l.Topics[i].Topic
	}
	followers, err := ask(h, func(reply chan<- []int) any { return followed{names, reply} })
	if err != nil {
		return nil, err
	}
	for i := range l.Topics {
		l.Topics[i].Streams = &followers[i]
	}
	return l, nil
}

// tallyTopics adds an event to the counts of its topics. What the asker has no grant for is not counted, in public events too: the
// protocol shows nobody the topics of what he gets.
func tallyTopics(counts map[string]*ListedTopic, e *mercure.Event, asker *Asker) {
	for _, name := range e.Topics {
		t := counts[name]
		if t == nil {
			if asker != nil && !asker.Grants.Match(name) {
				continue
			}
			t = &ListedTopic{Topic: name}
			counts[name] = t
		}
		t.Updates++
		t.Newest = e.Time
	}
}

// followers counts the streams that follow each topic live.
func (q *sequencer) followers(names []string) []int {
	counts := make([]int, len(names))
	for i, name := range names {
		q.lookup = q.index.Lookup(name, q.lookup[:0])
		seen := make(map[*audience]struct{}, len(q.lookup))
		for _, node := range q.lookup {
			for _, p := range node.Value.audiences {
				if _, twice := seen[p.audience]; !twice {
					seen[p.audience] = struct{}{}
					counts[i] += len(p.audience.members)
				}
			}
		}
	}
	return counts
}
