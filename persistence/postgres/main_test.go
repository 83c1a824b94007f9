package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hubd/internal/hubtest/engines"
	"hubd/persistence"
	"hubd/persistence/logtest"
)

// server is the one of all tests that do not hurt it, and schemas counts what they made in it. What is tested with it
// survives the server's process, and not the machine's end, so it need not sync.
var (
	server  *engines.Postgres
	schemas atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if server, err = engines.RunPostgres("-c", "fsync=off"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	server.Stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// place is a schema of its own.
type place struct {
	url     string
	timeout time.Duration

	mu   sync.Mutex
	logs []*Log
	off  []*Log // cut off
}

func newPlace(t testing.TB) logtest.Place { return newPlaceOn(t, server) }

func newPlaceOn(_ testing.TB, s *engines.Postgres) *place {
	return &place{url: s.URL("postgres") + "&schema=test" + strconv.FormatInt(schemas.Add(1), 10)}
}

func (p *place) Open(o logtest.Options) (persistence.Log, error) {
	log, err := p.open(Options{Retention: o.Retention, Ring: o.Ring, Now: o.Now, Contacted: o.Contacted})
	if err != nil {
		return nil, err
	}
	return log, nil
}

func (p *place) open(o Options) (*Log, error) {
	o.URL, o.Timeout = p.url, p.timeout
	log, err := Open(context.Background(), o)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logs = append(p.logs, log)
	return log, nil
}

// mustOpen opens a log that is closed when the test ends.
func (p *place) mustOpen(t testing.TB, o Options) *Log {
	t.Helper()
	log, err := p.open(o)
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

func (p *place) newest() *Log {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logs[len(p.logs)-1]
}

// Crash breaks the connections off without a word.
func (p *place) Crash(t testing.TB) {
	log := p.newest()
	log.dialer.refuse(true)
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

// Snapshot implements logtest.Restorer with copies of the tables.
func (p *place) Snapshot(t testing.TB, open persistence.Log) func() {
	schema := open.(*Log).target.quoted()
	tables := []string{"head", "events", "setbacks", "writers"}
	copies := ""
	for _, table := range tables {
		copies += fmt.Sprintf("CREATE TABLE %s.%s_then AS SELECT * FROM %[1]s.%[2]s; ", schema, table)
	}
	server.SQL(t, "postgres", copies)
	return func() {
		back := ""
		for _, table := range tables {
			back += fmt.Sprintf("TRUNCATE %s.%s; INSERT INTO %[1]s.%[2]s SELECT * FROM %[1]s.%[2]s_then; ", schema, table)
		}
		server.SQL(t, "postgres", back)
	}
}

var errFault = errors.New("no space left on device")

// Fail makes the server's answers errors. The follower stands still meanwhile: it would see what was stored all the same.
func (p *place) Fail(persisted bool) {
	log := p.newest()
	if log.store == nil {
		log.follower.Stop()
	}
	log.store = func(ctx context.Context, c *batchCall) (result, error) {
		if persisted {
			if _, err := log.attempt(ctx, c); err != nil {
				return result{}, err
			}
		}
		return result{}, errFault
	}
}

// Heal implements logtest.Faulty.
func (p *place) Heal() {
	if log := p.newest(); log.store != nil {
		log.store = nil
		log.follower = log.newFollower()
		log.follower.Start()
	}
}

// Cut implements logtest.Cutter: the log's connections break, and no other can be made.
func (p *place) Cut(log persistence.Log) {
	l := log.(*Log)
	l.dialer.refuse(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = append(p.off, l)
}

// Mend implements logtest.Cutter.
func (p *place) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.off {
		l.dialer.refuse(false)
	}
	p.off = nil
}

func backend() logtest.Backend {
	return logtest.Backend{Durable: true, New: newPlace}
}

func TestLog(t *testing.T) {
	t.Parallel()
	logtest.Run(t, backend())
}

func TestShared(t *testing.T) {
	t.Parallel()
	logtest.RunShared(t, logtest.Backend{Durable: true, New: func(t testing.TB) logtest.Place {
		p := newPlaceOn(t, server)
		p.timeout = 1500 * time.Millisecond
		return p
	}})
}

func TestBoard(t *testing.T) {
	t.Parallel()
	logtest.RunBoard(t, func(t testing.TB) (a, b persistence.Board) {
		p := newPlaceOn(t, server)
		return p.mustOpen(t, Options{}).Board("presence"), p.mustOpen(t, Options{}).Board("presence")
	})
}

func BenchmarkLog(b *testing.B) {
	// One that syncs, as it is by default.
	durable := engines.StartPostgres(b)
	logtest.Benchmark(b, logtest.Backend{Durable: true, New: func(t testing.TB) logtest.Place { return newPlaceOn(t, durable) }})
}
