//go:build linux

package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"hubd/internal/hubtest/engines"
)

// Engines are the names of targets whose hubs stand on a server: one hub, or with several also as many as the number says.
func Engines(several bool) []string {
	if several {
		return []string{"redis", "redis-3", "postgres", "postgres-3", "nats", "nats-3"}
	}
	return []string{"redis", "postgres", "nats"}
}

// StartCluster starts the server of the name, as one of Engines, with an empty store, and hubs on it. Each server makes
// durable what it answers, as the hub's own store does.
func StartCluster(ctx context.Context, name string, o HubOptions) (*Target, error) {
	engine, number, several := strings.Cut(name, "-")
	nodes := 1
	if several {
		var err error
		if nodes, err = strconv.Atoi(number); err != nil || nodes < 1 || nodes > 9 {
			return nil, fmt.Errorf("there is no target %q", name)
		}
	}
	store, stop, err := startEngine(engine, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", engine, err)
	}
	o.Store = store
	var hubs []*Target
	for range nodes {
		hub, err := StartHub(ctx, o)
		if err != nil {
			errs := []error{err}
			for _, hub := range hubs {
				errs = append(errs, hub.Stop())
			}
			return nil, errors.Join(append(errs, stop())...)
		}
		hubs = append(hubs, hub)
	}
	return Join(name, hubs, stop), nil
}

// startEngine starts a server and returns the store's URL.
func startEngine(engine, dir string) (store string, stop func() error, err error) {
	switch engine {
	case "redis":
		server, err := engines.RunRedis()
		if err != nil {
			return "", nil, err
		}
		return server.URL(), func() error { server.Stop(); return nil }, nil
	case "postgres":
		server, err := engines.RunPostgres()
		if err != nil {
			return "", nil, err
		}
		return server.URL("postgres"), func() error { server.Stop(); return nil }, nil
	case "nats":
		dir, err := os.MkdirTemp(dir, "hubd-bench-nats-")
		if err != nil {
			return "", nil, fmt.Errorf("make the server's directory: %w", err)
		}
		server, err := engines.RunNATS(dir, true)
		if err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
		return server.URL, func() error { server.Stop(); return os.RemoveAll(dir) }, nil
	}
	return "", nil, fmt.Errorf("there is no engine %q", engine)
}
