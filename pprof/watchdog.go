package pprof

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"sync/atomic"
	"time"
)

// insideEvery is how often the profiles of a hub inside its band are taken, of which the last are kept.
const insideEvery = 5 * time.Minute

// kind is what a watchdog watches.
type kind int

const (
	ofGoroutines kind = iota
	ofHeap
	kinds
)

// String is the name of the kind's profile, the value of a label and part of file names.
func (k kind) String() string { return [kinds]string{"goroutine", "heap"}[k] }

// WatchdogOptions describe a watchdog. All fields are required.
type WatchdogOptions struct {
	// Dir is where snapshots are written. It is made if it is not there.
	Dir string
	// MaxBytes bounds the snapshots in Dir; the oldest are removed.
	MaxBytes int64
	// After is how long a number has to be above its band, or back in it, to count.
	After time.Duration
	// Band is what the hub should need.
	Band Band
}

// Validate reports the first option that is missing or wrong. Errors wrap ErrOptions.
func (o *WatchdogOptions) Validate() error {
	switch {
	case o.Dir == "":
		return fmt.Errorf("%w: the watchdog has no directory", ErrOptions)
	case o.MaxBytes <= 0, o.After <= 0:
		return fmt.Errorf("%w: the watchdog has no limits", ErrOptions)
	}
	return nil
}

// watchdog writes profiles when the process needs more than its band allows. One goroutine calls judge.
//
//	inside --above--> above --above for After--> outside: a snapshot pair and a line of the log, once
//	inside <---in---- above                      outside --in for After--> inside
type watchdog struct {
	band   Band
	after  time.Duration
	folder *folder
	logger *slog.Logger
	// states has the episode of each kind.
	states [kinds]episode
	// inside are the last profiles from inside the band, empty at first.
	inside pair
	// written counts the snapshots by kind.
	written [kinds]atomic.Uint64
}

// episode is the state of one kind.
type episode struct {
	outside bool
	// turned is since when the readings contradict outside; zero if the last one did not.
	turned time.Time
}

// observe takes one reading and reports whether the state has changed.
func (e *episode) observe(at time.Time, above bool, after time.Duration) (changed bool) {
	switch {
	case above == e.outside:
		e.turned = time.Time{}
	case e.turned.IsZero():
		e.turned = at
	case at.Sub(e.turned) >= after:
		e.outside, e.turned = above, time.Time{}
		return true
	}
	return false
}

// pair is a profile of each kind, taken together.
type pair struct {
	at       time.Time
	profiles [kinds][]byte
}

func newWatchdog(o WatchdogOptions, logger *slog.Logger) (*watchdog, error) {
	f, err := openFolder(o.Dir, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	return &watchdog{band: o.Band, after: o.After, folder: f, logger: logger}, nil
}

// judge compares a reading with the band.
func (w *watchdog) judge(r *reading) {
	calm := true
	for k := range kinds {
		used, limit := w.band.measure(k, r)
		above := limit > 0 && used > limit
		state := &w.states[k]
		changed := state.observe(r.at, above, w.after)
		calm = calm && !above && !state.outside
		attributes := []any{slog.Int64("now", int64(used)), slog.Int64("limit", int64(limit)), slog.Int64("streams", r.Streams), slog.Int64("connections", r.Connections)}
		switch {
		case changed && state.outside:
			w.catch(k, r.at, attributes)
		case changed:
			w.logger.Info("watchdog: "+k.String()+" is back inside its band", attributes...)
		}
	}
	if calm && (w.inside.at.IsZero() || r.at.Sub(w.inside.at) >= insideEvery) {
		p, err := takePair(r.at)
		if err != nil {
			w.logger.Error("watchdog: a profile was not taken", slog.Any("error", err))
			return
		}
		w.inside = p
	}
}

// catch writes the profiles of an episode that has begun.
func (w *watchdog) catch(k kind, at time.Time, attributes []any) {
	now, err := takePair(at)
	if err == nil {
		err = w.folder.write(k, &now, &w.inside)
	}
	if err != nil {
		w.logger.Error("watchdog: "+k.String()+" is outside its band, and the snapshots were not written", append(attributes, slog.Any("error", err))...)
		return
	}
	w.written[k].Add(1)
	w.logger.Warn("watchdog: "+k.String()+" is outside its band; compare the snapshots with go tool pprof -diff_base",
		append(attributes, slog.String("inside", w.folder.file(at, k, &w.inside, k)), slog.String("outside", w.folder.file(at, k, &now, k)))...)
}

// takePair takes a profile of each kind as it stands. A heap profile tells of the last collection, as the live heap does.
func takePair(at time.Time) (pair, error) {
	p := pair{at: at}
	for k := range kinds {
		var profile bytes.Buffer
		if err := pprof.Lookup(k.String()).WriteTo(&profile, 0); err != nil {
			return p, fmt.Errorf("take the %s profile: %w", k, err)
		}
		p.profiles[k] = profile.Bytes()
	}
	return p, nil
}
