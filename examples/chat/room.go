package main

import (
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"hubd/examples/backend"
)

const (
	topic = "https://example.com/rooms/lobby"
	// maxMessages is how many a page that is opened gets.
	maxMessages = 100
	maxText     = 500
	maxName     = 30
)

// visitor is who has joined. The id is public, unlike that of the session.
type visitor struct{ ID, Name string }

// message is what the page gets, from here and from the hub.
type message struct {
	Author string    `json:"author"`
	Name   string    `json:"name"`
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}

// room is the chat.
type room struct {
	hub      *backend.Hub
	visitors backend.Sessions[visitor]

	// mu is held while a message is published, so that the list has the order of the hub.
	mu       sync.Mutex
	messages []message
	// newest is the id of the last message, after which pages begin to listen.
	newest string
}

func (r *room) join(w http.ResponseWriter, req *http.Request) {
	var form struct{ Name string }
	if !backend.ReadJSON(w, req, &form) {
		return
	}
	name, ok := line(form.Name, maxName)
	if !ok {
		http.Error(w, "a name has 1 to 30 characters", http.StatusBadRequest)
		return
	}
	v := visitor{ID: backend.RandomID(), Name: name}
	r.visitors.Start(w, v)
	backend.WriteJSON(w, map[string]string{"id": v.ID, "name": v.Name})
}

func (r *room) token(w http.ResponseWriter, req *http.Request) {
	if _, ok := r.visitors.Of(w, req); ok {
		r.hub.WriteToken(w, topic)
	}
}

// list answers with the newest messages and, for the stream, with the id of the last of them.
func (r *room) list(w http.ResponseWriter, req *http.Request) {
	v, ok := r.visitors.Of(w, req)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.newest == "" && !r.publish(w, req, message{At: time.Now()}) {
		return
	}
	r.hub.Link(w, r.newest)
	backend.WriteJSON(w, map[string]any{"you": v.ID, "topic": topic, "messages": r.messages})
}

func (r *room) say(w http.ResponseWriter, req *http.Request) {
	v, ok := r.visitors.Of(w, req)
	if !ok {
		return
	}
	var form struct{ Text string }
	if !backend.ReadJSON(w, req, &form) {
		return
	}
	text, ok := line(form.Text, maxText)
	if !ok {
		http.Error(w, "a message has 1 to 500 characters", http.StatusBadRequest)
		return
	}
	m := message{Author: v.ID, Name: v.Name, Text: text, At: time.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.publish(w, req, m) {
		return
	}
	r.messages = append(r.messages, m)
	if len(r.messages) > maxMessages {
		r.messages = append([]message(nil), r.messages[len(r.messages)-maxMessages:]...)
	}
	w.WriteHeader(http.StatusNoContent)
}

// publish sends a message to the room. If it cannot, the request has been answered. A message without a text opens the
// room: it is there so that the first visitor has an id to begin after.
func (r *room) publish(w http.ResponseWriter, req *http.Request, m message) (ok bool) {
	id, err := r.hub.Publish(req.Context(), topic, m, true)
	if err != nil {
		http.Error(w, "the message could not be sent; try again", http.StatusBadGateway)
		return false
	}
	r.newest = id
	return true
}

// line returns a text without what surrounds it, and whether it is there and has no more characters than allowed.
func line(text string, limit int) (trimmed string, ok bool) {
	trimmed = strings.TrimSpace(text)
	return trimmed, trimmed != "" && utf8.RuneCountInString(trimmed) <= limit
}
