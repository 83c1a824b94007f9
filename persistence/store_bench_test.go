package persistence_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/bolt"
	"hubd/persistence/memory"
)

// batches counts what the actor commits.
type batches struct{ commits, events atomic.Int64 }

func (b *batches) Failing(error) {}

func (b *batches) Commit(_ time.Duration, events int) {
	b.commits.Add(1)
	b.events.Add(int64(events))
}

// BenchmarkStore is what 256 publishers reach through the actor: with the log in memory, which leaves the
// price of the actor and of waking the publisher, and with durable commits.
func BenchmarkStore(b *testing.B) {
	keep := persistence.Retention{MaxEvents: 100_000}
	for name, open := range map[string]func(b *testing.B) (persistence.Log, error){
		"memory": func(*testing.B) (persistence.Log, error) { return memory.Open(memory.Options{Retention: keep}) },
		"bolt": func(b *testing.B) (persistence.Log, error) {
			return bolt.Open(bolt.Options{Path: filepath.Join(b.TempDir(), "hub.db"), Retention: keep})
		},
	} {
		b.Run(name, func(b *testing.B) {
			log, err := open(b)
			if err != nil {
				b.Fatal(err)
			}
			quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
			var seen batches
			store, err := persistence.NewStore(persistence.Options{
				Log: log, System: actor.NewActorSystem(actor.WithLoggerFactory(quiet)), Observer: &seen,
			})
			if err != nil {
				b.Fatal(err)
			}
			data := strings.Repeat("d", 128)
			b.SetParallelism(128)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					u := mercure.Update{Topics: []string{"https://example.com/books/1"}, Data: data}
					if err := store.Append(mercure.NewEvent(&u)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(seen.events.Load())/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(seen.events.Load())/float64(seen.commits.Load()), "events/commit")
			store.Stop()
			if err := log.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
