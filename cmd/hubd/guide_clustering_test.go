package main

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hubd/internal/hubtest/engines"
)

// TestGuideClustering follows the guide to several nodes by each of its three ways.
func TestGuideClustering(t *testing.T) {
	t.Parallel()
	ways := []string{"Redis or Valkey", "PostgreSQL", "NATS JetStream"}
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			page := guidePage(t, "clustering")
			for _, other := range ways {
				if other != way {
					page = without(t, page, other)
				}
			}
			newGuideReader(t, clusterMachine(t, way)).follow(t, page)
		})
	}
}

// without takes a section out of a page.
func without(t *testing.T, page, section string) string {
	t.Helper()
	_, after, found := strings.Cut(page, "\n### "+section+"\n")
	next := strings.Index(after, "\n### ")
	if !found || next < 0 {
		t.Fatalf("the guide has no section %q with one after it", section)
	}
	return strings.TrimSuffix(page, "\n### "+section+"\n"+after) + after[next:]
}

// clusterMachine has the servers' programs, and a server of PostgreSQL that runs.
func clusterMachine(t *testing.T, way string) guideMachine {
	t.Helper()
	var o guideMachine
	for _, address := range []string{"127.0.0.1:3010", "127.0.0.1:3011", "127.0.0.1:3020", "127.0.0.1:3021"} {
		o.addresses = append(o.addresses, address, freeAddress(t))
	}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	switch way {
	case "Redis or Valkey":
		o.addresses = append(o.addresses, "6379", port)
	case "NATS JetStream":
		o.addresses = append(o.addresses, "4222", port)
		o.programs = []string{natsServer(t)}
	case "PostgreSQL":
		p := engines.StartPostgres(t)
		_, port, _ = net.SplitHostPort(p.Address)
		o.addresses = append(o.addresses, "127.0.0.1:5432", p.Address)
		o.environment = []string{"PGPORT=" + port, "PGUSER=hubd", "PGDATABASE=postgres"}
		o.programs = []string{p.Programs()}
	}
	return o
}

// natsServer builds NATS' own program from the module that the tests run servers of, and returns its directory.
func natsServer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const module = "github.com/nats-io/nats-server/v2"
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "nats-server"), module).CombinedOutput(); err != nil {
		t.Fatalf("building nats-server: %v: %s", err, out)
	}
	return dir
}
