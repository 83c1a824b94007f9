package pprof

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// RecorderOptions describe a recorder.
type RecorderOptions struct {
	// Numbers returns the hub's numbers. It is called every 2.5 s, and for each snapshot, from any goroutine; it must not
	// block. It is required.
	Numbers func() Numbers
	// Watchdog is what watches the process, nil if nothing does.
	Watchdog *WatchdogOptions
	// Logger takes what the watchdog sees; nil is slog.Default.
	Logger *slog.Logger
}

// Validate reports the first option that is missing or wrong. Errors wrap ErrOptions.
func (o *RecorderOptions) Validate() error {
	if o.Numbers == nil {
		return fmt.Errorf("%w: Numbers is missing", ErrOptions)
	}
	if o.Watchdog != nil {
		return o.Watchdog.Validate()
	}
	return nil
}

// Recorder looks at the hub and the process every 2.5 s, remembers the last hour for the dashboard and lets the watchdog
// judge. One goroutine does so between Start and Stop.
type Recorder struct {
	numbers  func() Numbers
	process  *process
	watchdog *watchdog

	// stop is closed by Stop, done when the goroutine has returned.
	stop, done chan struct{}

	// mu guards what follows; it is held for the writing of a point or of the JSON.
	mu           sync.Mutex
	fine, coarse history
	state        recorderState
}

// recorderState goes from new to running to stopped, or from new to stopped.
type recorderState int

const (
	recorderNew recorderState = iota
	recorderRunning
	recorderStopped
)

// NewRecorder returns a recorder that does nothing until Start. It makes the watchdog's directory, if there is to be one.
func NewRecorder(o RecorderOptions) (*Recorder, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	r := &Recorder{numbers: o.Numbers, process: newProcess(), stop: make(chan struct{}), done: make(chan struct{})}
	r.fine.looks, r.coarse.looks = fineLooks, coarseLooks
	if o.Watchdog != nil {
		w, err := newWatchdog(*o.Watchdog, o.Logger)
		if err != nil {
			return nil, err
		}
		r.watchdog = w
	}
	return r, nil
}

// errRecorder is the error of a Start that comes too late or twice.
var errRecorder = errors.New("recorder cannot be started again")

// Start begins to record.
func (r *Recorder) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != recorderNew {
		return errRecorder
	}
	r.state = recorderRunning
	go r.run()
	return nil
}

// Stop ends the recording and returns when a snapshot that may be under way is written. It may be called again and before
// Start.
func (r *Recorder) Stop() {
	r.mu.Lock()
	before := r.state
	r.state = recorderStopped
	if before != recorderStopped {
		close(r.stop)
	}
	if before == recorderNew {
		close(r.done)
	}
	r.mu.Unlock()
	<-r.done
}

func (r *Recorder) run() {
	defer close(r.done)
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	r.look(time.Now())
	for {
		select {
		case <-ticker.C:
			r.look(time.Now())
		case <-r.stop:
			return
		}
	}
}

// look takes one reading.
func (r *Recorder) look(at time.Time) {
	reading := r.process.read(at, r.numbers())
	r.mu.Lock()
	r.fine.add(reading)
	r.coarse.add(reading)
	r.mu.Unlock()
	if r.watchdog != nil {
		r.watchdog.judge(reading)
	}
}

// Episodes returns how often the watchdog wrote a snapshot pair because of a kind, "goroutine" or "heap".
func (r *Recorder) Episodes(kind string) uint64 {
	if r.watchdog == nil {
		return 0
	}
	for k := range kinds {
		if k.String() == kind {
			return r.watchdog.written[k].Load()
		}
	}
	return 0
}

// EpisodeKinds are what an episode of the watchdog can be about.
func EpisodeKinds() []string {
	names := make([]string, 0, kinds)
	for k := range kinds {
		names = append(names, k.String())
	}
	return names
}

// json returns the last ten minutes and the last hour.
func (r *Recorder) json() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	body := append(make([]byte, 0, 32<<10), `{"fine":`...)
	body = r.fine.appendJSON(body)
	body = append(body, `,"coarse":`...)
	return append(r.coarse.appendJSON(body), '}')
}
