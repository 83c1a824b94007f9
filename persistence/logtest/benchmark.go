package logtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// benchEvents is the history that benchmarks work on: the default of the hub.
const benchEvents = 100_000

// Benchmark compares back ends: appends in batches, with ids that the log makes and with random ones
// of publishers, Find, and Read from the ring and from the store.
func Benchmark(b *testing.B, backend Backend) {
	b.Run("append", func(b *testing.B) {
		for _, own := range []bool{false, true} {
			for _, size := range []int{1, 64, 256} {
				b.Run(fmt.Sprintf("own=%t/retention=true/batch=%d", own, size), func(b *testing.B) {
					benchAppend(b, backend, size, own, persistence.Retention{MaxEvents: benchEvents})
				})
			}
		}
		for _, size := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("own=false/retention=false/batch=%d", size), func(b *testing.B) {
				benchAppend(b, backend, size, false, persistence.Retention{})
			})
		}
	})
	for _, own := range []bool{false, true} {
		b.Run(fmt.Sprintf("find/own=%t", own), func(b *testing.B) { benchFind(b, backend, own) })
	}
	b.Run("read", func(b *testing.B) { benchRead(b, backend) })
}

// benchEvent is about 300 bytes as a record.
func benchEvent(n int, own bool) *mercure.Event {
	u := &mercure.Update{Topics: []string{"https://example.com/books/" + fmt.Sprint(n%1000)}, Data: strings.Repeat("d", 190)}
	if own {
		u.ID = fmt.Sprintf("urn:uuid:%016x-%016x", rand.Uint64(), rand.Uint64())
	}
	return mercure.NewEvent(u)
}

func benchBatch(size int, own bool) []*mercure.Event {
	batch := make([]*mercure.Event, size)
	for i := range batch {
		batch[i] = benchEvent(i, own)
	}
	return batch
}

// benchLog opens a log and fills it with n events; it returns the id of each 97th.
func benchLog(b *testing.B, backend Backend, r persistence.Retention, n int, own bool) (persistence.Log, []string) {
	b.Helper()
	log, err := backend.New(b).Open(Options{Retention: r, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	var ids []string
	for range n / 1000 {
		batch := benchBatch(1000, own)
		if _, err := log.Append(batch); err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(batch); i += 97 {
			ids = append(ids, batch[i].ID())
		}
	}
	return log, ids
}

func benchAppend(b *testing.B, backend Backend, size int, own bool, r persistence.Retention) {
	log, _ := benchLog(b, backend, r, benchEvents, own)
	b.ReportAllocs()
	events := 0
	var spent time.Duration
	for b.Loop() {
		batch := benchBatch(size, own)
		start := time.Now()
		if _, err := log.Append(batch); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(start)
		events += size
	}
	b.ReportMetric(float64(events)/spent.Seconds(), "events/s")
	b.ReportMetric(float64(spent.Nanoseconds())/float64(events), "ns/event")
}

func benchFind(b *testing.B, backend Backend, own bool) {
	log, ids := benchLog(b, backend, persistence.Retention{MaxEvents: benchEvents}, benchEvents, own)
	for _, tc := range []struct {
		name string
		ids  []string
	}{
		{"oldest", ids[:100]}, {"any", ids}, {"newest", ids[len(ids)-100:]}, {"unknown", []string{"urn:uuid:00000000-0000-8000-8000-000000000000"}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, found, err := log.Find(tc.ids[i%len(tc.ids)]); err != nil || found != (tc.name != "unknown") {
					b.Fatal(found, err)
				}
			}
		})
	}
}

func benchRead(b *testing.B, backend Backend) {
	log, _ := benchLog(b, backend, persistence.Retention{MaxEvents: benchEvents}, benchEvents, false)
	for _, tc := range []struct {
		name  string
		after uint64
		span  uint64
	}{{"store", 0, benchEvents / 4}, {"ring", benchEvents * 3 / 4, benchEvents / 4}} {
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			events := 0
			for after := tc.after; b.Loop(); {
				page, err := log.Read(after, 64<<10)
				if err != nil || len(page) == 0 {
					b.Fatal(len(page), err)
				}
				events += len(page)
				if after += uint64(len(page)); after >= tc.after+tc.span-uint64(len(page)) {
					after = tc.after
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
