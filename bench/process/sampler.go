//go:build linux

package process

import (
	"time"
)

// Sample is the usage at a time since the start of the sampler.
type Sample struct {
	At time.Duration
	Usage
}

// Sampler reads usage at an interval.
type Sampler struct {
	pids    []int
	quit    chan struct{}
	done    chan struct{}
	samples []Sample // the goroutine's until done is closed
}

// NewSampler reads the usage of processes, now and at the interval. It stops by itself when one of them is gone.
func NewSampler(interval time.Duration, pids ...int) *Sampler {
	s := &Sampler{pids: pids, quit: make(chan struct{}), done: make(chan struct{})}
	start := time.Now()
	if !s.read(start) {
		close(s.done)
		return s
	}
	go s.run(interval, start)
	return s
}

// read takes a sample, or reports that a process is gone.
func (s *Sampler) read(start time.Time) bool {
	u, err := ReadUsage(s.pids...)
	if err != nil {
		return false
	}
	s.samples = append(s.samples, Sample{At: time.Since(start), Usage: u})
	return true
}

func (s *Sampler) run(interval time.Duration, start time.Time) {
	defer close(s.done)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.quit:
			return
		}
		if !s.read(start) {
			return
		}
	}
}

// Stop ends the sampling and returns what was read. It is called once.
func (s *Sampler) Stop() []Sample {
	close(s.quit)
	<-s.done
	return s.samples
}
