// Command llm is an assistant whose answers arrive word by word. The model is a fake that needs no network. A conversation is a
// private topic, and the hub is its memory: a page that is reloaded, in the middle of an answer too, gets the conversation
// from its first event on and stays with it.
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
	os.Exit(backend.Main(&backend.Options{Name: "llm", Page: page, Routes: routes}))
}

func routes(ctx context.Context, mux *http.ServeMux, hub *backend.Hub) (wait func()) {
	d := &desk{hub: hub, model: newModel(), ctx: ctx, conversations: make(map[string]*conversation)}
	mux.HandleFunc("POST /conversations", d.begin)
	mux.HandleFunc("GET /conversations/{id}", d.show)
	mux.HandleFunc("POST /conversations/{id}/token", d.token)
	mux.HandleFunc("POST /conversations/{id}/prompts", d.prompt)
	mux.HandleFunc("POST /conversations/{id}/stop", d.stop)
	return d.answers.Wait
}
