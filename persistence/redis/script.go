package redis

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"hubd/persistence"
)

//go:embed lua/*.lua
var sources embed.FS

// script is a Lua script, which the engine runs as one step that nothing else comes between.
type script struct {
	text, digest string
	// writes tells that what it did is to reach the replicas that an append waits for.
	writes bool
	// alone tells that no replica is waited for all the same.
	alone bool
}

// scripts are those of this package.
type scripts struct {
	open, append, fetch, fill         script
	mark, confirm                     script
	put, delete, renew, adopt, forget script
}

func loadScripts() (s scripts, err error) {
	for _, x := range []struct {
		name   string
		to     *script
		writes bool
	}{
		{"open", &s.open, true}, {"append", &s.append, true}, {"fetch", &s.fetch, false}, {"fill", &s.fill, true},
		{"mark", &s.mark, true}, {"confirm", &s.confirm, true},
		{"put", &s.put, true}, {"delete", &s.delete, true}, {"renew", &s.renew, true}, {"adopt", &s.adopt, true}, {"drop", &s.forget, true},
	} {
		b, err := sources.ReadFile("lua/" + x.name + ".lua")
		if err != nil {
			return s, err
		}
		sum := sha1.Sum(b)
		*x.to = script{text: string(b), digest: hex.EncodeToString(sum[:]), writes: x.writes}
	}
	s.confirm.alone = true
	return s, nil
}

// What scripts return instead of an answer.
const (
	statusGone    = -1 // there is no store
	statusOther   = -2 // another store is where this one was
	statusStale   = -3 // a later append of the same writer was first
	statusForeign = -4 // the keys are not a hub's
	statusCorrupt = -5 // the stream does not end where the store says that it does
	statusBehind  = -6 // the engine has lost what the writer knows of
)

var (
	errGone   = fmt.Errorf("%w: the store is gone from it", persistence.ErrUnavailable)
	errOther  = fmt.Errorf("%w: another store has taken the place of the one that was open; restart the hub", persistence.ErrUnavailable)
	errStale  = errors.New("a later append came first")
	errBehind = errors.New("the engine has lost events")
	// errFewReplicas is wrapped where fewer replicas have what was written than are asked for.
	errFewReplicas = fmt.Errorf("%w: too few replicas", persistence.ErrUnavailable)
)

// engine runs scripts on the server. All methods may be called from any goroutine.
type engine struct {
	client   rueidis.Client
	replicas int
	timeout  time.Duration
}

// run runs a script within the time of ctx, which has a deadline, and returns its answer without an error for a status.
// Where the engine's replicas are waited for, they have what the script wrote.
func (g *engine) run(ctx context.Context, s *script, keys, args []string) ([]rueidis.RedisMessage, error) {
	answer, err := g.evaluate(ctx, "EVALSHA", s.digest, s, keys, args)
	if e, ok := rueidis.IsRedisErr(err); ok && e.IsNoScript() {
		answer, err = g.evaluate(ctx, "EVAL", s.text, s, keys, args)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if len(answer) == 0 {
		return nil, fmt.Errorf("%w: a script returned nothing", persistence.ErrCorrupt)
	}
	if status, err := answer[0].AsInt64(); err == nil && status < 0 {
		return answer, statusError(status)
	}
	return answer, nil
}

func statusError(status int64) error {
	switch status {
	case statusGone:
		return errGone
	case statusOther:
		return errOther
	case statusStale:
		return errStale
	case statusForeign:
		return persistence.ErrNotHubStore
	case statusBehind:
		return errBehind
	}
	return fmt.Errorf("%w: its newest event is not where the store says that it is", persistence.ErrCorrupt)
}

// evaluate sends a script. One that writes has a connection to itself: its answer waits for the engine's disk, and WAIT
// goes by the connection.
func (g *engine) evaluate(ctx context.Context, command, body string, s *script, keys, args []string) ([]rueidis.RedisMessage, error) {
	cmd := g.client.B().Arbitrary(command, body, strconv.Itoa(len(keys))).Keys(keys...).Args(args...)
	switch {
	case !s.writes:
		return g.client.Do(ctx, cmd.Build()).ToArray()
	case g.replicas == 0 || s.alone:
		return g.client.Do(ctx, cmd.Blocking()).ToArray()
	}
	// A part of the time: a script that the server does not know yet is waited for twice.
	wait := g.client.B().Wait().Numreplicas(int64(g.replicas)).Timeout((g.timeout / 4).Milliseconds()).Build()
	results := g.client.DoMulti(ctx, cmd.Blocking(), wait)
	answer, err := results[0].ToArray()
	if err != nil {
		return nil, err
	}
	reached, err := results[1].AsInt64()
	if err != nil {
		return nil, err
	}
	if reached < int64(g.replicas) {
		return nil, fmt.Errorf("%w: %d of %d replicas confirmed", errFewReplicas, reached, g.replicas)
	}
	return answer, nil
}

// unavailable wraps an error of the driver, and one of the engine that passes with time, as a restart, a failover and
// a full disk or memory do.
func unavailable(err error) error {
	e, answered := rueidis.IsRedisErr(err)
	if errors.Is(err, persistence.ErrUnavailable) {
		return err
	}
	if !answered {
		return fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
	}
	code, _, _ := strings.Cut(e.Error(), " ")
	switch code {
	case "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY", "NOREPLICAS", "MISCONF", "OOM", "UNBLOCKED":
		return fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
	}
	return err
}
