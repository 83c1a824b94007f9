// Package fakehub is a hub of a few lines for the load program's own tests: a log in memory, one
// goroutine for each stream, chunked bodies as net/http writes them, no tokens. It can be told to
// misbehave, so that a test can see the load program notice.
//
// Start hands the hub to the test, which ends it and joins its goroutines.
package fakehub

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"hubd/mercure"
)

// Hub is a fake hub; its exported fields are set before Start.
type Hub struct {
	// Refuse answers one in so many requests with 503.
	Refuse int
	// Cut ends a stream after so many events, the last of them in its middle.
	Cut int
	// Pages are answered at their paths in place of what a hub does, such as metrics and profiles.
	Pages map[string][]byte
	// Tamper changes the frames that a stream is about to be sent; it may be nil. Streams are numbered in
	// the order in which they came.
	Tamper func(stream int, frames []string) []string

	mu      sync.Mutex // guards what follows, and is never held while something is sent
	grown   *sync.Cond
	log     []update
	streams int
	asked   int
	closed  bool
	starts  int
}

type update struct{ topic, frame string }

// Start serves the hub until the test is over.
func (h *Hub) Start(t *testing.T) netip.AddrPort {
	t.Helper()
	h.grown = sync.NewCond(&h.mu)
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.wake()
		server.Close()
	})
	return netip.MustParseAddrPort(server.Listener.Addr().String())
}

// ServeHTTP takes publishes and subscriptions at any path.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked++
	refused := h.Refuse > 0 && h.asked%h.Refuse == 0
	h.mu.Unlock()
	page, known := h.Pages[r.URL.Path]
	switch {
	case known:
		_, _ = w.Write(page)
	case refused:
		http.Error(w, "later", http.StatusServiceUnavailable)
	case r.Method == http.MethodGet:
		h.subscribe(w, r)
	default:
		h.publish(w, r)
	}
}

func (h *Hub) publish(w http.ResponseWriter, r *http.Request) {
	topic, data := r.PostFormValue("topic"), r.PostFormValue("data")
	h.mu.Lock()
	id := fmt.Sprintf("urn:fake:%d", len(h.log)+1)
	h.log = append(h.log, update{topic, fmt.Sprintf("id: %s\ndata: %s\n\n", id, data)})
	h.grown.Broadcast()
	h.mu.Unlock()
	_, _ = io.WriteString(w, id)
}

func (h *Hub) subscribe(w http.ResponseWriter, r *http.Request) {
	selector := r.FormValue("topic")
	h.mu.Lock()
	stream, at, start := h.streams, len(h.log), h.starts
	h.streams++
	h.mu.Unlock()
	switch id := r.Header.Get("Last-Event-ID"); id {
	case "":
	case mercure.Earliest:
		at = 0
	default:
		if _, err := fmt.Sscanf(id, "urn:fake:%d", &at); err != nil {
			at = 0
		}
	}
	flush := http.NewResponseController(w).Flush
	w.Header().Set("Content-Type", "text/event-stream")
	if flush() != nil {
		return
	}
	// A client that hangs up ends the wait.
	defer context.AfterFunc(r.Context(), h.wake)()
	for sent := 0; ; {
		frames, closed := h.wait(r, &at, start, selector)
		if closed {
			_, _ = io.WriteString(w, "retry: 30\n\n")
			return
		}
		if h.Tamper != nil {
			frames = h.Tamper(stream, frames)
		}
		if h.Cut > 0 && sent+len(frames) >= h.Cut {
			text := strings.Join(frames[:h.Cut-sent], "")
			_, _ = io.WriteString(w, text[:len(text)-10])
			return
		}
		sent += len(frames)
		if _, err := io.WriteString(w, ":\n\n"+strings.Join(frames, "")); err != nil || flush() != nil {
			return
		}
	}
}

// Restart ends all streams as a hub does that stops: with a time to come back at. The log stays.
func (h *Hub) Restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts++
	h.grown.Broadcast()
}

func (h *Hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.grown.Broadcast()
}

// wait returns the frames after a place that match, when there are any, and moves the place.
func (h *Hub) wait(r *http.Request, at *int, start int, selector string) (frames []string, closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		for ; *at < len(h.log); *at++ {
			if u := h.log[*at]; match(selector, u.topic) {
				frames = append(frames, u.frame)
			}
		}
		if h.closed || h.starts > start || r.Context().Err() != nil {
			return nil, true
		}
		if len(frames) > 0 {
			return frames, false
		}
		h.grown.Wait()
	}
}

// match takes a selector with at most one variable, which stands for one segment of a path.
func match(selector, topic string) bool {
	before, after, variable := strings.Cut(selector, "{any}")
	if !variable {
		return selector == "" || selector == topic
	}
	middle, ok := strings.CutPrefix(topic, before)
	if !ok {
		return false
	}
	middle, ok = strings.CutSuffix(middle, after)
	return ok && !strings.Contains(middle, "/")
}
