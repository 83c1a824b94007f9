package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// settings are what matters of the configuration of a server.
type settings struct {
	known                          bool // CONFIG GET is allowed
	appendOnly, appendSync, policy string
	limited                        bool // in memory
	replicas                       bool
}

// findCaveats asks every server of the engine how it is configured and says what it does not promise.
func findCaveats(ctx context.Context, client rueidis.Client, name string, waited int) ([]string, error) {
	var all []string
	for _, node := range client.Nodes() {
		s, err := readSettings(ctx, node)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, caveat := range s.caveats(name, waited) {
			if !slices.Contains(all, caveat) {
				all = append(all, caveat)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

func readSettings(ctx context.Context, node rueidis.Client) (s settings, err error) {
	info, err := node.Do(ctx, node.B().Info().Section("replication").Build()).ToString()
	if _, refused := rueidis.IsRedisErr(err); err != nil && !refused {
		return s, err
	}
	s.replicas = strings.Contains(info, "role:master") && !strings.Contains(info, "connected_slaves:0")
	config, err := node.Do(ctx, node.B().ConfigGet().Parameter("appendonly", "appendfsync", "maxmemory", "maxmemory-policy").Build()).AsStrMap()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return s, nil // as managed servers do
	}
	if err != nil {
		return s, err
	}
	s.known = len(config) > 0
	s.appendOnly, s.appendSync = config["appendonly"], config["appendfsync"]
	s.limited, s.policy = config["maxmemory"] != "0", config["maxmemory-policy"]
	return s, nil
}

// caveats says what a server with the settings does not promise where an append waits for so many replicas.
func (s settings) caveats(name string, waited int) (all []string) {
	say := func(text string) { all = append(all, fmt.Sprintf("redis at %s %s", name, text)) }
	switch {
	case !s.known:
		say("does not tell its configuration: see that appendonly is yes, appendfsync is always and maxmemory-policy is noeviction")
	case s.appendOnly != "yes":
		say("keeps no append-only file: when it ends, what was acknowledged since its last snapshot is lost; set appendonly yes and appendfsync always")
	case s.appendSync != "always":
		say("does not sync each write (appendfsync " + s.appendSync + "): when its machine fails, acknowledged events of the last seconds are lost; set appendfsync always")
	}
	if s.known && s.limited && strings.HasPrefix(s.policy, "allkeys-") {
		say("may evict the history when its memory is full (maxmemory-policy " + s.policy + "); set maxmemory-policy noeviction")
	}
	if s.replicas && waited == 0 {
		say("has replicas that no append waits for: when one takes over, acknowledged events may be lost; add wait-replicas=1 to the URL")
	}
	return all
}
