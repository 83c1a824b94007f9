// Command chat is a room in which visitors talk. Messages are private updates: a visitor who has given a name gets a token for
// the room. A page that is opened loads the newest messages and begins its stream where they end.
package main

import (
	"context"
	"embed"
	"net/http"
	"os"

	"hubd/examples/backend"
)

//go:embed page
var page embed.FS

func main() {
	os.Exit(backend.Main(&backend.Options{Name: "chat", Page: page, Routes: routes}))
}

func routes(ctx context.Context, mux *http.ServeMux, hub *backend.Hub) (wait func()) {
	r := &room{hub: hub, messages: []message{}}
	mux.HandleFunc("POST /session", r.join)
	mux.HandleFunc("POST /token", r.token)
	mux.HandleFunc("GET /messages", r.list)
	mux.HandleFunc("POST /messages", r.say)
	return func() {}
}
