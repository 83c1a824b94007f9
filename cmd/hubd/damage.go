package main

import (
	"log/slog"
	"sync/atomic"
)

// damageLines bounds how many damaged records are logged one by one.
const damageLines = 20

// damage counts the records of the store that cannot be read, and logs the first of them. It must not be copied.
type damage struct {
	log     *slog.Logger
	records atomic.Uint64
}

// record is bolt's Options.Damaged.
func (d *damage) record(position uint64, err error) {
	switch n := d.records.Add(1); {
	case n < damageLines:
		d.log.Error("record of the store cannot be read; it is passed over", slog.Uint64("position", position), slog.Any("error", err))
	case n == damageLines:
		d.log.Error("more records of the store cannot be read; hubd store verify lists them once the hub has stopped")
	}
}
