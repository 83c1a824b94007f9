// Command dashboard shows the load of a made-up service, live. Its updates are public. The hub keeps the newest of them, so a page
// that is opened has its charts full at once.
package main

import (
	"context"
	"embed"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"hubd/examples/backend"
)

//go:embed page
var page embed.FS

const topic = "https://example.com/services/shop/load"

func main() {
	os.Exit(backend.Main(&backend.Options{
		Name: "dashboard", Page: page, Routes: routes,
		Hub: []string{"--anonymous", "--history-max-events=240"},
	}))
}

// routes has none beside the page's: pages get everything from the hub.
func routes(ctx context.Context, _ *http.ServeMux, hub *backend.Hub) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() { report(ctx, hub) })
	return wg.Wait
}

// report publishes a sample a second until ctx ends, after two minutes of older ones.
func report(ctx context.Context, hub *backend.Hub) {
	s := newService(time.Now())
	publish := func(at time.Time) {
		if _, err := hub.Publish(ctx, topic, s.sample(at), false); err != nil && ctx.Err() == nil {
			log.Print(err)
		}
	}
	for now, at := time.Now(), -60; at < 0; at++ {
		publish(now.Add(time.Duration(at) * time.Second))
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			publish(now)
		}
	}
}
