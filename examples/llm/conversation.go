package main

import (
	"context"
	"log"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"hubd/examples/backend"
)

const (
	maxPrompt        = 2000
	maxConversations = 1000
)

// event is what the page gets: a prompt, a token of the answer to it, the end of an answer, or, first of all, the beginning.
type event struct {
	Kind string `json:"kind"`
	Text string `json:"text,omitempty"`
}

// conversation is one, of one visitor.
type conversation struct {
	owner, topic string
	// first is the id of the event that began it, after which the page's stream begins.
	first string

	// mu guards the rest.
	mu sync.Mutex
	// turns is how many answers were begun.
	turns int
	// stop ends the answer that is being given; nil if none is.
	stop context.CancelFunc
}

// desk has all conversations.
type desk struct {
	hub      *backend.Hub
	model    *model
	visitors backend.Sessions[string]
	// ctx ends the answers, which are joined by answers.Wait.
	ctx     context.Context
	answers sync.WaitGroup

	// mu guards conversations.
	mu            sync.Mutex
	conversations map[string]*conversation
}

// begin starts a conversation, and a session with it.
func (d *desk) begin(w http.ResponseWriter, r *http.Request) {
	id, owner := backend.RandomID(), backend.RandomID()
	c := &conversation{owner: owner, topic: "https://example.com/conversations/" + id}
	var err error
	if c.first, err = d.hub.Publish(r.Context(), c.topic, event{Kind: "begin"}, true); err != nil {
		http.Error(w, "the hub does not answer; try again", http.StatusBadGateway)
		return
	}
	d.mu.Lock()
	if len(d.conversations) >= maxConversations {
		clear(d.conversations)
	}
	d.conversations[id] = c
	d.mu.Unlock()
	d.visitors.Start(w, owner)
	backend.WriteJSON(w, map[string]string{"id": id})
}

// of returns the conversation of the request, if it is the visitor's. If not, the request has been answered.
func (d *desk) of(w http.ResponseWriter, r *http.Request) (c *conversation, ok bool) {
	owner, ok := d.visitors.Of(w, r)
	if !ok {
		return nil, false
	}
	d.mu.Lock()
	c = d.conversations[r.PathValue("id")]
	d.mu.Unlock()
	if c == nil || c.owner != owner {
		http.Error(w, "there is no such conversation", http.StatusNotFound)
		return nil, false
	}
	return c, true
}

func (d *desk) show(w http.ResponseWriter, r *http.Request) {
	if c, ok := d.of(w, r); ok {
		d.hub.Link(w, c.first)
		backend.WriteJSON(w, map[string]string{"topic": c.topic})
	}
}

func (d *desk) token(w http.ResponseWriter, r *http.Request) {
	if c, ok := d.of(w, r); ok {
		d.hub.WriteToken(w, c.topic)
	}
}

// prompt takes a question and answers it behind the request's back: the page gets question and answer from the hub.
func (d *desk) prompt(w http.ResponseWriter, r *http.Request) {
	c, ok := d.of(w, r)
	if !ok {
		return
	}
	var form struct{ Text string }
	if !backend.ReadJSON(w, r, &form) {
		return
	}
	text := strings.TrimSpace(form.Text)
	if text == "" || utf8.RuneCountInString(text) > maxPrompt {
		http.Error(w, "a question has 1 to 2000 characters", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		http.Error(w, "the last answer is not complete", http.StatusConflict)
		return
	}
	if _, err := d.hub.Publish(r.Context(), c.topic, event{Kind: "prompt", Text: text}, true); err != nil {
		http.Error(w, "the hub does not answer; try again", http.StatusBadGateway)
		return
	}
	ctx, stop := context.WithCancel(d.ctx)
	turn := c.turns
	c.turns, c.stop = turn+1, stop
	d.answers.Go(func() { d.answer(ctx, c, text, turn) })
	w.WriteHeader(http.StatusAccepted)
}

// answer publishes an answer token by token, and its end, also when it is stopped.
func (d *desk) answer(ctx context.Context, c *conversation, prompt string, turn int) {
	publish := func(ctx context.Context, e event) bool {
		_, err := d.hub.Publish(ctx, c.topic, e, true)
		if err != nil && ctx.Err() == nil {
			log.Print(err)
		}
		return err == nil
	}
	for token := range d.model.answer(ctx, prompt, turn) {
		if !publish(ctx, event{Kind: "token", Text: token}) {
			break
		}
	}
	publish(d.ctx, event{Kind: "end"})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
	c.stop = nil
}

func (d *desk) stop(w http.ResponseWriter, r *http.Request) {
	c, ok := d.of(w, r)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
	w.WriteHeader(http.StatusNoContent)
}
