// Command notifications sends users what concerns them alone: each has a private topic, and a token for it and no other. All tabs of
// a user share one connection.
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
	os.Exit(backend.Main(&backend.Options{Name: "notifications", Page: page, Routes: routes}))
}

func routes(_ context.Context, mux *http.ServeMux, hub *backend.Hub) (wait func()) {
	p := &post{hub: hub}
	mux.HandleFunc("POST /session", p.signIn)
	mux.HandleFunc("GET /session", p.who)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("POST /notifications", p.send)
	return func() {}
}
