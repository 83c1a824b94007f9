package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// sample is the load of a second.
type sample struct {
	// At is in milliseconds since 1970, as JavaScript has it.
	At int64 `json:"at"`
	// Requests is per second, P50 and P95 in milliseconds, Errors in percent.
	Requests float64 `json:"requests"`
	P50      float64 `json:"p50"`
	P95      float64 `json:"p95"`
	Errors   float64 `json:"errors"`
}

// service is a shop that nobody runs.
type service struct {
	began    time.Time
	requests float64
	// incident is for how many more seconds something is wrong.
	incident int
}

func newService(now time.Time) *service { return &service{began: now, requests: 420} }

// sample returns the next second: a wave, noise, and an incident now and then.
func (s *service) sample(at time.Time) sample {
	wave := 420 + 120*math.Sin(at.Sub(s.began).Seconds()/25)
	s.requests += (wave-s.requests)*0.2 + rand.NormFloat64()*14
	if s.incident--; s.incident < 0 && rand.IntN(70) == 0 {
		s.incident = 12
	}
	slow, failing := 1.0, 0.15
	if s.incident > 0 {
		slow, failing = 2.6, 4
	}
	p50 := (18 + s.requests/40 + rand.Float64()*4) * slow
	return sample{
		At:       at.UnixMilli(),
		Requests: math.Round(max(0, s.requests)),
		P50:      round(p50),
		P95:      round(p50*2.2 + rand.Float64()*25*slow),
		Errors:   round(max(0, failing+rand.NormFloat64()*failing/3)),
	}
}

func round(x float64) float64 { return math.Round(x*100) / 100 }
