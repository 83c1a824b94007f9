package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hubd/internal/hubtest/engines"
	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/logtest"
)

// server is the one of the tests that do it no harm; each has a prefix of its own.
var server *engines.Redis

var prefixes atomic.Int64

func newPrefix() string { return fmt.Sprintf("test-%d", prefixes.Add(1)) }

func TestMain(m *testing.M) {
	var err error
	// What a kill costs is tested with servers that sync; this one is to be fast.
	if server, err = engines.RunRedis("--appendonly", "no"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	server.Stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// place is a prefix on a server.
type place struct {
	server *engines.Redis
	prefix string
	log    *Log
	// failing is set between Fail and Heal.
	failing bool
}

func newPlace(testing.TB) logtest.Place { return &place{server: server, prefix: newPrefix()} }

func (p *place) Open(o logtest.Options) (persistence.Log, error) {
	log, err := Open(context.Background(), Options{URL: p.server.URL(), Prefix: p.prefix, Retention: o.Retention, Ring: o.Ring, Now: o.Now})
	if err != nil {
		return nil, err
	}
	p.log, p.failing = log, false
	return log, nil
}

// Crash drops the connections without a word; the server knows nothing but what it has answered.
func (p *place) Crash(t testing.TB) {
	p.log.engine.client.Close()
	if err := p.log.Close(); err != nil {
		t.Error(err)
	}
}

// Snapshot copies the keys.
func (p *place) Snapshot(t testing.TB, _ persistence.Log) func() {
	k := p.log.keys
	names := []string{k.meta, k.log, k.wake, k.ids, k.chosen, k.ages}
	for _, name := range names {
		p.server.Must(t, "COPY", name, name+":copy", "REPLACE")
	}
	return func() {
		for _, name := range names {
			p.server.Must(t, "DEL", name)
			p.server.Must(t, "COPY", name+":copy", name)
		}
	}
}

var errFault = errors.New("connection reset by peer")

// Fail implements logtest.Faulty. The follower stands still meanwhile: it would see what was stored all the same.
func (p *place) Fail(persisted bool) {
	log := p.log
	if !p.failing {
		log.follower.Stop()
	}
	p.failing = true
	log.commit = func(batch []*mercure.Event, now time.Time, r persistence.Retention) (answer, error) {
		if persisted {
			persisted = false // what comes next is refused, as long as the engine cannot be reached
			if a, err := log.store(batch, now, r); err != nil {
				return a, err
			}
		}
		return answer{}, fmt.Errorf("%w: %w", persistence.ErrUnavailable, errFault)
	}
}

// Heal implements logtest.Faulty.
func (p *place) Heal() {
	if p.failing {
		p.failing, p.log.commit = false, p.log.store
		p.log.follower = p.log.newFollower(Options{})
		p.log.follower.Start()
	}
}

func backend() logtest.Backend { return logtest.Backend{New: newPlace, Durable: true} }

func TestLog(t *testing.T) {
	t.Parallel()
	logtest.Run(t, backend())
}

// BenchmarkLog measures a server that is configured as the package comment asks.
func BenchmarkLog(b *testing.B) {
	for _, sync := range []string{"always", "everysec"} {
		b.Run("appendfsync="+sync, func(b *testing.B) {
			r := engines.StartRedis(b, "--appendfsync", sync)
			logtest.Benchmark(b, logtest.Backend{Durable: true, New: func(testing.TB) logtest.Place {
				return &place{server: r, prefix: newPrefix()}
			}})
		})
	}
}

// openLog opens a log that the test closes.
func openLog(t testing.TB, o Options) *Log {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = newPrefix()
	}
	log, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// within is how long a test waits for what must happen. It is no expectation of speed.
const within = 30 * time.Second
