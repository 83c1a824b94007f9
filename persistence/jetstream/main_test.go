package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"hubd/internal/hubtest/engines"
	"hubd/persistence"
	"hubd/persistence/logtest"
)

// server is what the tests share, each with a stream of its own.
var server = sync.OnceValues(func() (*engines.NATS, error) {
	dir, err := os.MkdirTemp("", "hubd-jetstream-")
	if err != nil {
		return nil, err
	}
	return engines.RunNATS(dir, false)
})

// streams counts the streams made.
var streams atomic.Uint64

func TestMain(m *testing.M) {
	engines.ServeNATS()
	code := m.Run()
	if n, err := server(); err == nil {
		n.Stop()
		_ = os.RemoveAll(n.Dir())
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// sharedURL returns the URL of a new store on the shared server.
func sharedURL(t testing.TB) string {
	t.Helper()
	n, err := server()
	if err != nil {
		t.Fatalf("start a NATS server: %v", err)
	}
	return fmt.Sprintf("%s/?stream=test%d", n.URL, streams.Add(1))
}

// link dials for a log, until it is cut.
type link struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

var errCut = errors.New("the link is cut")

func (k *link) Dial(network, address string) (net.Conn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cut {
		return nil, errCut
	}
	c, err := net.Dial(network, address)
	if err == nil {
		k.conns = append(k.conns, c)
	}
	return c, err
}

func (k *link) set(cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = cut
	if cut {
		for _, c := range k.conns {
			_ = c.Close()
		}
		k.conns = nil
	}
}

// place is a store on the shared server.
type place struct {
	url     string
	timeout time.Duration
	log     *Log // the one opened last
	failing bool

	mu    sync.Mutex
	links map[persistence.Log]*link
}

func newPlace(t testing.TB) logtest.Place { return newPlaceAt(sharedURL(t), 30*time.Second) }

func newPlaceAt(url string, timeout time.Duration) *place {
	return &place{url: url, timeout: timeout, links: map[persistence.Log]*link{}}
}

func (p *place) Open(o logtest.Options) (persistence.Log, error) {
	k := &link{}
	log, err := Open(context.Background(), Options{
		URL: p.url, Retention: o.Retention, Ring: o.Ring, Now: o.Now, Contacted: o.Contacted, Timeout: p.timeout, dialer: k, reconnectWait: time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log, p.failing, p.links[log] = log, false, k
	return log, nil
}

// Crash drops the connection without a word to the server.
func (p *place) Crash(t testing.TB) {
	t.Helper()
	p.links[p.log].set(true)
	if err := p.log.Close(); err != nil {
		t.Error(err)
	}
}

// Cut implements logtest.Cutter.
func (p *place) Cut(log persistence.Log) { p.links[log].set(true) }

// Mend implements logtest.Cutter.
func (p *place) Mend() {
	for _, k := range p.links {
		k.set(false)
	}
}

var errFault = &apiError{Code: codeUnavailable + 1, Description: "the disk is full"}

// Fail implements logtest.Faulty. The follower stands still meanwhile: it would see what was stored all the same.
func (p *place) Fail(persisted bool) {
	log := p.log
	if !p.failing {
		log.follower.Stop()
	}
	p.failing = true
	log.publish = func(ctx context.Context, messages []*nats.Msg, expected uint64, batch string) (uint64, error) {
		if persisted {
			persisted = false // what comes next is refused
			if _, err := log.engine.publish(ctx, messages, expected, batch); err != nil {
				return 0, err
			}
		}
		return 0, errFault
	}
}

// Heal implements logtest.Faulty.
func (p *place) Heal() {
	if p.failing {
		p.failing, p.log.publish = false, p.log.engine.publish
		p.log.follower = p.log.newFollower()
		p.log.follower.Start()
	}
}

// Snapshot keeps what is in the stream. To restore it is to make the stream again.
func (p *place) Snapshot(t testing.TB, _ persistence.Log) func() {
	t.Helper()
	ctx, l := context.Background(), p.log
	js, err := jetstream.New(l.engine.nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, l.target.stream)
	if err != nil {
		t.Fatal(err)
	}
	config, kept := stream.CachedInfo().Config, []*jetstream.RawStreamMsg(nil)
	for sequence := uint64(1); sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
		m, err := stream.GetMsg(ctx, sequence)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, m)
	}
	return func() { restore(t, config, kept) }
}

func restore(t testing.TB, config jetstream.StreamConfig, kept []*jetstream.RawStreamMsg) {
	t.Helper()
	n, err := server()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		err = js.DeleteStream(context.Background(), config.Name)
	}
	if err == nil {
		_, err = js.CreateStream(context.Background(), config)
	}
	for _, m := range kept {
		if err == nil {
			for _, name := range []string{headerExpected, headerBatch, headerBatchSequence, headerBatchCommit} {
				m.Header.Del(name)
			}
			_, err = js.PublishMsg(context.Background(), &nats.Msg{Subject: m.Subject, Data: m.Data, Header: m.Header})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func backend() logtest.Backend { return logtest.Backend{New: newPlace, Durable: true} }

func TestLog(t *testing.T) {
	t.Parallel()
	logtest.Run(t, backend())
}

func TestShared(t *testing.T) {
	t.Parallel()
	logtest.RunShared(t, logtest.Backend{Durable: true, New: func(t testing.TB) logtest.Place {
		return newPlaceAt(sharedURL(t), 3*time.Second) // the suite waits for it
	}})
}

func TestBoard(t *testing.T) {
	t.Parallel()
	logtest.RunBoard(t, func(t testing.TB) (a, b persistence.Board) {
		p := newPlaceAt(sharedURL(t), 30*time.Second)
		return openLog(t, p).Board("presence"), openLog(t, p).Board("presence")
	})
}

// openLog opens a log, which is closed at the end of the test.
func openLog(t testing.TB, p *place) *Log {
	t.Helper()
	log, err := p.Open(logtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return log.(*Log)
}

func BenchmarkLog(b *testing.B) { logtest.Benchmark(b, backend()) }
