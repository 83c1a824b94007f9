package main

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hubd/examples/backend"
)

const maxText = 200

// users are all there are. An application has accounts, and asks for more than a name.
func users() []string { return []string{"alice", "bob", "carol"} }

// inbox is the topic of what concerns a user.
func inbox(user string) string { return "https://example.com/users/" + user + "/notifications" }

// notification is what the page gets from the hub.
type notification struct {
	From string    `json:"from"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// post delivers.
type post struct {
	hub      *backend.Hub
	visitors backend.Sessions[string]
}

func (p *post) signIn(w http.ResponseWriter, r *http.Request) {
	var form struct{ User string }
	if !backend.ReadJSON(w, r, &form) {
		return
	}
	if !slices.Contains(users(), form.User) {
		http.Error(w, "there is no such user", http.StatusBadRequest)
		return
	}
	p.visitors.Start(w, form.User)
	w.WriteHeader(http.StatusNoContent)
}

// who says who is signed in, and where their notifications are.
func (p *post) who(w http.ResponseWriter, r *http.Request) {
	if user, ok := p.visitors.Of(w, r); ok {
		backend.WriteJSON(w, map[string]string{"user": user, "topic": inbox(user)})
	}
}

// token answers with a token for the inbox of whoever is signed in. A page of somebody else, who was signed in when it was
// opened, gets none.
func (p *post) token(w http.ResponseWriter, r *http.Request) {
	user, ok := p.visitors.Of(w, r)
	if !ok {
		return
	}
	var form struct{ User string }
	if !backend.ReadJSON(w, r, &form) {
		return
	}
	if form.User != user {
		http.Error(w, "somebody else is signed in", http.StatusUnauthorized)
		return
	}
	p.hub.WriteToken(w, inbox(user))
}

func (p *post) send(w http.ResponseWriter, r *http.Request) {
	from, ok := p.visitors.Of(w, r)
	if !ok {
		return
	}
	var form struct{ To, Text string }
	if !backend.ReadJSON(w, r, &form) {
		return
	}
	text := strings.TrimSpace(form.Text)
	switch {
	case !slices.Contains(users(), form.To):
		http.Error(w, "there is no such user", http.StatusBadRequest)
		return
	case text == "" || utf8.RuneCountInString(text) > maxText:
		http.Error(w, "a notification has 1 to 200 characters", http.StatusBadRequest)
		return
	}
	if _, err := p.hub.Publish(r.Context(), inbox(form.To), notification{From: from, Text: text, At: time.Now()}, true); err != nil {
		http.Error(w, "the notification could not be sent; try again", http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
