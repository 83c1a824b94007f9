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

// NewSampler starts to read the usage of processes. It stops by itself when one of them is gone.
func NewSampler(interval time.Duration, pids ...int) *Sampler {
	s := &Sampler{pids: pids, quit: make(chan struct{}), done: make(chan struct{})}
	go s.run(interval)
	return s
}

func (s *Sampler) run(interval time.Duration) {
	defer close(s.done)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	start := time.Now()
	for {
		u, err := ReadUsage(s.pids...)
		if err != nil {
			return
		}
		s.samples = append(s.samples, Sample{At: time.Since(start), Usage: u})
		select {
		case <-ticker.C:
		case <-s.quit:
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
