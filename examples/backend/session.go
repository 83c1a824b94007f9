package backend

import (
	"encoding/json"
	"net/http"
	"sync"
)

// maxSessions bounds the memory that visitors can take: beyond it all are forgotten, and sign in again.
const maxSessions = 10_000

// Sessions remembers visitors by a cookie, with a value for each. An application has accounts and passwords here.
type Sessions[T any] struct {
	// mu guards byID.
	mu   sync.Mutex
	byID map[string]T
}

// Start gives the visitor a new cookie, which scripts cannot read and other sites do not get sent.
func (s *Sessions[T]) Start(w http.ResponseWriter, value T) {
	id := RandomID()
	s.mu.Lock()
	if s.byID == nil || len(s.byID) >= maxSessions {
		s.byID = make(map[string]T)
	}
	s.byID[id] = value
	s.mu.Unlock()
	// An application is served by https and adds Secure.
	http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// Of returns the visitor's value. If there is none, the request has been answered.
func (s *Sessions[T]) Of(w http.ResponseWriter, r *http.Request) (value T, ok bool) {
	if cookie, err := r.Cookie("session"); err == nil {
		s.mu.Lock()
		value, ok = s.byID[cookie.Value]
		s.mu.Unlock()
	}
	if !ok {
		http.Error(w, "sign in first", http.StatusUnauthorized)
	}
	return value, ok
}

// ReadJSON reads the body into v. If it cannot, the request has been answered.
func ReadJSON(w http.ResponseWriter, r *http.Request, v any) (ok bool) {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		http.Error(w, "the body is not the JSON that is expected", http.StatusBadRequest)
		return false
	}
	return true
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
