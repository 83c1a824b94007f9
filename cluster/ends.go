package cluster

import (
	"strings"
	"sync"

	"hubd/mercure"
	"hubd/persistence"
)

// followBytes bounds what is read of the log at a time, in bytes of frames.
const followBytes = 1 << 20

// ends follows the log for what is said of the subscriptions of this node. All methods may be called from any goroutine.
type ends struct {
	prefix string // of the topics of subscriptions
	// news has an element while the log has grown since it was last followed.
	news chan struct{}

	// following is held while the tail is read.
	following sync.Mutex
	tail      persistence.Tail
	page      []*mercure.Event

	mu sync.Mutex
	// said holds the keys that are watched, and whether the last event about them said that they have ended.
	said map[string]bool
}

// newEnds follows the log from its head. Errors are those of Tail.
func newEnds(log persistence.Log, hubPath string) (*ends, error) {
	e := &ends{prefix: mercure.SubscriptionTopics(hubPath), news: make(chan struct{}, 1), said: map[string]bool{}}
	_, head := log.Bounds()
	tail, err := log.Tail(head, func() {
		select {
		case e.news <- struct{}{}:
		default: // it will be read with what is new already
		}
	})
	e.tail = tail
	return e, err
}

// close ends the notifications.
func (e *ends) close() { e.tail.Close() }

// follow reads the log up to its head. Errors are those of the tail; what they leave unread is read with the next call.
func (e *ends) follow() error {
	e.following.Lock()
	defer e.following.Unlock()
	for {
		page, err := e.tail.Next(e.page[:0], followBytes)
		for _, event := range page {
			e.hear(event)
		}
		e.page = page
		clear(e.page)
		if err != nil || len(page) == 0 {
			return err
		}
	}
}

func (e *ends) hear(event *mercure.Event) {
	if !event.Private || !strings.HasPrefix(event.Topics[0], e.prefix) {
		return
	}
	key := keyOf(event.Topics[0])
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, watched := e.said[key]; watched {
		e.said[key] = event.EndsSubscription()
	}
}

// watch begins to follow what is said of a subscription, if it did not before.
func (e *ends) watch(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, watched := e.said[key]; !watched {
		e.said[key] = false
	}
}

func (e *ends) forget(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.said, key)
}

// ended returns the keys of which the last event says that they have.
func (e *ends) ended() (keys []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, ended := range e.said {
		if ended {
			keys = append(keys, key)
		}
	}
	return keys
}
