package main

import (
	"sync/atomic"
	"time"

	"hubd/pprof"
)

// commits adds up what the store did, for the admin page.
type commits struct {
	number, updates atomic.Uint64
	nanoseconds     atomic.Int64
}

func (c *commits) add(d time.Duration, updates int) {
	c.number.Add(1)
	c.updates.Add(uint64(updates))
	c.nanoseconds.Add(int64(d))
}

// numbers are what the admin page shows over time. They may be asked for before the hub has a store.
func (d *daemon) numbers() pprof.Numbers {
	stats, done := d.late.stats(), &d.metrics.commits
	return pprof.Numbers{
		Streams: stats.Connected(), Connections: int64(d.connections()),
		Published: done.updates.Load(), Delivered: stats.Deliveries(),
		QueueBytes: stats.QueuedBytes(), CatchingUp: stats.CatchingUp(), Lag: int64(d.late.lag()),
		Commits: done.number.Load(), CommitTime: time.Duration(done.nanoseconds.Load()),
	}
}

// startRecorder begins to record the numbers, and to watch them if there is a directory for what is seen.
func (d *daemon) startRecorder() error {
	recorder, err := pprof.NewRecorder(pprof.RecorderOptions{Numbers: d.numbers, Watchdog: d.watchdog(), Logger: d.log})
	if err != nil {
		return err
	}
	d.recorder = recorder
	d.metrics.watchRecorder(recorder)
	return recorder.Start()
}
