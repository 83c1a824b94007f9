package main

import (
	"log/slog"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"hubd/config"
	"hubd/pprof"
)

// watchdog returns what is to be watched, nil without a directory.
func (d *daemon) watchdog() *pprof.WatchdogOptions {
	if d.cfg.WatchdogDir == "" {
		return nil
	}
	return &pprof.WatchdogOptions{Dir: d.cfg.WatchdogDir, MaxBytes: int64(d.cfg.WatchdogMaxBytes), After: d.cfg.WatchdogAfter, Band: band(d.cfg, d.log)}
}

// band is what the hub should need. To the heap that is set for the hub itself come the caches and queues whose
// size is configured. The updates of a memory store are heap too: without a bound in bytes nothing can be said.
func band(cfg *config.Config, log *slog.Logger) pprof.Band {
	b := pprof.Band{
		Goroutines:    int64(cfg.WatchdogGoroutines),
		Heap:          int64(cfg.WatchdogHeap + cfg.RingBytes + cfg.SelectorCacheBytes + cfg.MaxPendingBytes),
		HeapPerStream: int64(cfg.WatchdogHeapPerStream),
	}
	if cfg.TLS() {
		b.GoroutinesPerStream = 1 // over HTTP/2
		b.HeapPerStream += int64(heapPerTLSStream)
	}
	if runtime.GOOS != "linux" {
		b.GoroutinesPerStream = 1 // one poller watches all streams on Linux alone
	}
	if cfg.Store.Scheme() != config.StoreMemory {
		return b
	}
	if cfg.History.MaxBytes == 0 {
		log.Warn("watchdog: the heap is not watched, because it holds the history; set history-max-bytes to bound it")
		b.Heap = 0
		return b
	}
	// What surrounds an update in memory may take as much as the update.
	b.Heap += 2 * int64(cfg.History.MaxBytes)
	return b
}

// watchRecorder counts what the watchdog writes.
func (m *metrics) watchRecorder(r *pprof.Recorder) {
	for _, kind := range pprof.EpisodeKinds() {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hubd_watchdog_snapshots_total", Help: "Snapshot pairs that the watchdog wrote, by what had left its band.",
			ConstLabels: prometheus.Labels{"kind": kind},
		}, func() float64 { return float64(r.Episodes(kind)) }))
	}
}
